/** Logins of a netrc file, as curl reads it. */

export interface Login {
	readonly username: string;
	readonly password: string;
}

export interface Netrc {
	/** By host, in lower case; of several entries for one host the first. */
	readonly machines: ReadonlyMap<string, Login>;
	/** For any other host. */
	readonly fallback: Login | undefined;
	/** The lines that were passed over because they could not be read, from 1. */
	readonly problems: readonly number[];
}

export const NO_NETRC: Netrc = {machines: new Map(), fallback: undefined, problems: []};

/** A word, or `"quoted \"text\""`; undefined where its quote does not end. */
interface Word {
	readonly text: string | undefined;
	/** From 1. */
	readonly line: number;
}

/** An entry while its words come. */
interface Entry {
	/** Undefined for `default`; `''` for nobody. */
	readonly host: string | undefined;
	username?: string;
	password?: string;
}

const FIELDS: Readonly<Record<string, 'username' | 'password' | 'account'>> = {
	login: 'username',
	password: 'password',
	account: 'account',
};

/**
 * `machine NAME login USER password SECRET`, over as many lines as one likes; `default` in the place of a
 * machine; `macdef` up to an empty line says nothing, nor do lines that begin with `#`. These
 * words are taken in any case. What comes after something that cannot be read, up to the next
 * machine, is nobody's: it may be meant for another host than the one before.
 */
export function parseNetrc(text: string): Netrc {
	const entries: Entry[] = [];
	const problems = new Set<number>();
	const words = wordsOf(text);
	for (let index = 0; index < words.length;) {
		const {text, line} = words[index++] as Word;
		const word = text?.toLowerCase();
		if (word === 'default') {
			entries.push({host: undefined});
			continue;
		}

		const field = word !== undefined && Object.hasOwn(FIELDS, word) ? FIELDS[word] : undefined;
		const entry = entries.at(-1);
		if (word !== 'machine' && (field === undefined || entry === undefined)) {
			problems.add(line);
			entries.push(nobody());
			continue;
		}

		const value = words[index++]?.text;
		if (value === undefined) {
			problems.add(line);
			entries.push(nobody());
		} else if (field === undefined) {
			entries.push({host: value.toLowerCase()});
		} else if (entry !== undefined && field !== 'account') {
			entry[field] = value;
		}
	}

	return {...byHost(entries), problems: [...problems]};
}

/** Takes what comes after something that cannot be read. */
function nobody(): Entry {
	return {host: ''};
}

/** An entry without a login has nothing to send. */
function byHost(entries: readonly Entry[]): Omit<Netrc, 'problems'> {
	const machines = new Map<string, Login>();
	let fallback: Login | undefined;
	for (const {host, username, password = ''} of entries) {
		if (username === undefined || host === '') continue;
		if (host === undefined) fallback ??= {username, password};
		else if (!machines.has(host)) machines.set(host, {username, password});
	}

	return {machines, fallback};
}

function wordsOf(text: string): Word[] {
	const words: Word[] = [];
	let isMacro = false;
	for (const [index, line] of text.split(/\r?\n/).entries()) {
		const isEmpty = line.trim() === '';
		if (isMacro || isEmpty || line.trimStart().startsWith('#')) {
			isMacro &&= !isEmpty;
			continue;
		}

		const found = [...line.matchAll(WORD)].map(match => unquoted(match[0]));
		const macro = found.findIndex(word => word?.toLowerCase() === 'macdef');
		isMacro = macro !== -1;
		words.push(...(isMacro ? found.slice(0, macro) : found).map(word => ({text: word, line: index + 1})));
	}

	return words;
}

/** The second alternative is a quote without an end, up to the end of the line. */
const WORD = /"(?:[^"\\]|\\.)*"|".*|\S+/g;
const ESCAPES: Readonly<Record<string, string>> = {n: '\n', r: '\r', t: '\t'};

function unquoted(word: string): string | undefined {
	if (!word.startsWith('"')) return word;
	if (word.length < 2 || !/^"(?:[^"\\]|\\.)*"$/.test(word)) return undefined;
	return word.slice(1, -1).replace(/\\(.)/g, (_found, letter: string) => ESCAPES[letter] ?? letter);
}
