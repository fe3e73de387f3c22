/** One log, handed down by the constructor: a sentence and its fields. */
import pino, {type DestinationStream} from 'pino';
import pretty from 'pino-pretty';

export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
	debug(message: string, fields?: Fields): void;
	info(message: string, fields?: Fields): void;
	warn(message: string, fields?: Fields): void;
	error(message: string, fields?: Fields): void;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json` one object a line; `pretty` for a terminal; `journal` with the `<n>` priority that journald reads (sd-daemon(3)). */
export const LOG_FORMATS = ['json', 'pretty', 'journal'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** A log whose level can change while it is in use. */
export interface AdjustableLog extends Log {
	level: LogLevel;
}

/** What the library logs to unless told otherwise. */
export const NO_LOG: Log = {debug() {}, info() {}, warn() {}, error() {}};

/** A log on standard error, written at once so that a crash loses no line. */
export function createLog(options: {level: LogLevel; format: LogFormat}): AdjustableLog {
	const formatters = {level: (label: string) => ({level: label})};
	const logger = pino({level: options.level, base: null, formatters}, destination(options.format));
	const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: Fields) =>
		logger[level](fields ?? {}, message);
	return {
		debug: write('debug'),
		info: write('info'),
		warn: write('warn'),
		error: write('error'),
		get level() {
			return logger.level as LogLevel;
		},
		set level(level) {
			logger.level = level;
		},
	};
}

function destination(format: LogFormat): DestinationStream {
	const stderr = pino.destination({dest: 2, sync: true});
	switch (format) {
		case 'json':
			return stderr;
		case 'pretty':
			return pretty({destination: 2, sync: true, colorize: process.stderr.isTTY, translateTime: 'SYS:HH:MM:ss'});
		case 'journal':
			return {write: (line: string) => stderr.write(journalLine(line))};
	}
}

/** Syslog priorities, RFC 5424 section 6.2.1. */
const PRIORITIES: Readonly<Record<string, number>> = {error: 3, warn: 4, info: 6, debug: 7};

function journalLine(json: string): string {
	const {level, time: _time, msg, ...fields} = JSON.parse(json) as {level: string; time: number; msg: string};
	const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
	return `<${PRIORITIES[level] ?? 6}>${msg}${rest}\n`;
}
