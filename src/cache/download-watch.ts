import type {Clock} from '../base/clock.js';
import {statusOf, type Downloading, type DownloadStatus} from './download-status.js';
import {Rate} from './rate.js';

const LOOK_EVERY_MS = 500;

/** Looks at the running downloads every so often, so that it can tell how fast they are. */
export class DownloadWatch {
	/** In the order in which they began. */
	readonly #watched = new Map<Downloading, Watched>();
	#timer: NodeJS.Timeout | undefined;

	constructor(private readonly clock: Clock) {}

	add(download: Downloading): void {
		this.#watched.set(download, new Watched(download, this.clock));
		this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
	}

	remove(download: Downloading): void {
		this.#watched.delete(download);
		if (this.#watched.size > 0) return;
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	/** The oldest first. */
	statuses(): DownloadStatus[] {
		return Array.from(this.#watched.values(), watched => watched.status());
	}

	#look(): void {
		for (const watched of this.#watched.values()) watched.look();
	}
}

class Watched {
	#rate: Rate;
	#isFollowed = false;

	constructor(
		private readonly download: Downloading,
		private readonly clock: Clock,
	) {
		this.#rate = new Rate(clock);
	}

	look(): void {
		this.#turn();
		this.#rate.note(this.#bytes);
	}

	status(): DownloadStatus {
		this.#turn();
		return statusOf(this.download, this.#rate.perSecond(this.#bytes));
	}

	/** What another process had before it was followed is there at once: that is no speed. */
	#turn(): void {
		const {isFollowing, sizeBytes} = this.download;
		const isFollowed = isFollowing && sizeBytes !== undefined;
		if (isFollowed === this.#isFollowed) return;
		this.#isFollowed = isFollowed;
		this.#rate = new Rate(this.clock, this.#bytes);
	}

	get #bytes(): number {
		return this.#isFollowed ? this.download.arrivedBytes : this.download.downloadedBytes;
	}
}
