import {readFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import type {Cpu} from './measure.js';

/** Of times in /proc/PID/stat: what Linux has told programs on every machine for decades. */
const TICKS_PER_SECOND = 100;

/** Who has spent no more than this within the window has nothing to do: timers alone take less. */
const IDLE_CPU_SECONDS = 0.04;
const IDLE_WINDOW_MS = 2000;

/** What Linux tells of a process while it runs. */
export class RunningProcess {
	constructor(private readonly pid: number | undefined) {}

	/** What it has spent since its start, all its threads together. */
	get cpu(): Cpu {
		// After the name, which may hold anything: state is field 3, utime 14, stime 15 (proc_pid_stat(5)).
		const fields = this.#proc('stat').split(') ').at(-1)?.split(' ') ?? [];
		return {user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND};
	}

	/** The most memory it has had so far, its program's file included (VmHWM, proc_pid_status(5)). */
	get peakRssBytes(): number {
		const [, kib = 'NaN'] = /^VmHWM:\s*(\d+) kB$/m.exec(this.#proc('status')) ?? [];
		return Number(kib) * 1024;
	}

	/**
	 * Waits until it has hardly used a processor for two seconds: whatever it
	 * does in the background is done.
	 *
	 * @throws Error once the deadline has passed.
	 */
	async idle(deadlineMs: number): Promise<void> {
		const deadlineAt = performance.now() + deadlineMs;
		for (;;) {
			const before = this.cpu;
			await delay(IDLE_WINDOW_MS);
			const {user, system} = this.cpu;
			if (user + system - before.user - before.system <= IDLE_CPU_SECONDS) return;
			if (performance.now() > deadlineAt) throw new Error(`process ${this.pid} is not idle within ${deadlineMs} ms`);
		}
	}

	#proc(file: string): string {
		return readFileSync(`/proc/${this.pid}/${file}`, 'utf8');
	}
}
