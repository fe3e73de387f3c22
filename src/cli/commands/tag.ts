import {commandWith, UsageError, withCache, type Command, type Surroundings} from '../program.js';
import {eachStored} from './pin.js';

interface Flags {
	readonly add?: readonly string[];
	readonly remove?: readonly string[];
}

export function tagCommand(surroundings: Surroundings): Command {
	const command = commandWith('tag', ['cache-dir', 'log-level'], surroundings)
		.description('mark files that are stored with words of your own, for ls and rm to find them by')
		.argument('<url...>', 'URLs, or keys as by-key/ has them')
		.option('--add <name>', 'a tag to add; may be repeated', collectTags)
		.option('--remove <name>', 'a tag to remove; may be repeated', collectTags);
	return command.action((urls: string[]) => {
		const {add = [], remove = []} = command.opts<Flags>();
		checkChange(add, remove);
		return withCache(command, surroundings, cache =>
			eachStored(urls, key => cache.annotate(key, {addTags: add, removeTags: remove})),
		);
	});
}

/**
 * A tag as it was written on the command line: 1 to 100 printable characters
 * without commas, so that `[a, b]` is two tags to whoever reads it.
 *
 * @throws UsageError
 */
export function parseTag(name: string): string {
	if (TAG.test(name)) return name;
	throw new UsageError(`${JSON.stringify(name)} is not a tag; expected 1 to 100 printable characters without commas`);
}

/** Controls, what shows nothing, lone surrogates, line and paragraph separators: none of them is printable. */
const TAG = /^[^,\p{C}\p{Zl}\p{Zp}]{1,100}$/u;

function collectTags(name: string, before: readonly string[] = []): string[] {
	return [...before, parseTag(name)];
}

function checkChange(add: readonly string[], remove: readonly string[]): void {
	if (add.length + remove.length === 0) throw new UsageError('name a tag with --add or --remove');
	const both = add.find(name => remove.includes(name));
	if (both !== undefined) throw new UsageError(`"${both}" cannot be added and removed at once`);
}
