/** The end of a `ForkedProcess` that does what it is told. */

/** Calls by name. What they take and return goes through structured clones. */
export type Told = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface Request {
	readonly id: number;
	readonly name: string;
	readonly args: readonly unknown[];
}

export type Answer = {readonly id: number} & (
	{readonly value: unknown} | {readonly code: unknown; readonly message: string}
);

/** Answers the process that forked this one, until it is killed or left. */
export function doAsTold(commands: Told): void {
	process.on('message', (request: Request) => void answer(commands, request));
	process.on('disconnect', () => process.exit());
}

async function answer(commands: Told, {id, name, args}: Request): Promise<void> {
	try {
		send({id, value: await commands[name]?.(...(args as never[]))});
	} catch (error) {
		const {code, message} = error as {code?: unknown; message: string};
		send({id, code, message});
	}
}

function send(answer: Answer): void {
	process.send?.(answer);
}
