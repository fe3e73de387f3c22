/** So much of a header tells what it was. */
const MAX_SHOWN = 100;

/**
 * What an origin has sent, for a message: on one line, without characters that
 * a terminal would act on, and cut where it is long.
 *
 * `bytes\x9b31m` -> `"bytes\u009b31m"`
 */
export function quoted(text: string): string {
	const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
	return `"${cut.replace(CONTROL, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

/** C0, DEL and C1: Node lets the last pass in headers, each byte one character. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;
