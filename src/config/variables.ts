/** Environment variables within the configuration file. */

const REFERENCE = /\$(\$?)\{(?:([A-Za-z_]\w*)\})?/g;

/**
 * Puts the variables' values in: `'Bearer ${TOKEN}'`. `$${` is `${` as it stands, and so is any other `$`.
 *
 * @throws RangeError that ends a sentence, and holds no value: `names the variable TOKEN, which is not set`.
 */
export function withVariables(text: string, env: Readonly<Record<string, string | undefined>>): string {
	return text.replace(REFERENCE, (found: string, escape: string, name: string | undefined) => {
		if (escape !== '') return found.slice(1);
		if (name === undefined)
			throw new RangeError('has a ${ without the name of a variable and }; write $${ for ${ itself');
		const value = Object.hasOwn(env, name) ? env[name] : undefined;
		if (value === undefined) throw new RangeError(`names the variable ${name}, which is not set`);
		return value;
	});
}
