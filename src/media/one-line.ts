/** ffmpeg repeats what it finds in a file: a message shows at most so many characters of it. */
const LONGEST = 300;

/** What a program printed, as one line for a log: control characters become spaces, the middle of a long text goes. */
export function oneLine(text: string): string {
	const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
	return line.length <= LONGEST ? line : `${line.slice(0, LONGEST / 2)} … ${line.slice(-LONGEST / 2)}`;
}
