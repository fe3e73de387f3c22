import {redact} from '../base/redact.js';
import type {KeptPartial} from '../store/partials.js';

export type DownloadState =
	/** For its turn, or for an answer. */
	| 'waiting'
	| 'downloading'
	/** Nobody reads it: it goes on with the next reader. */
	| 'paused'
	/** Another process downloads it. */
	| 'following'
	/** All has arrived, and a transform is at it. */
	| 'converting';

/** A running download, to be shown. */
export interface DownloadStatus {
	/** Two URLs may look the same without their queries. */
	readonly key: string;
	/** Without credentials, query and fragment. */
	readonly url: string;
	/** What has arrived. */
	readonly bytes: number;
	/** Bytes of the entry to be; null while nobody knows. */
	readonly total: number | null;
	/** Bytes a second; 0 while nothing comes. */
	readonly rate: number;
	/** Whole seconds; null while nobody knows, or nothing comes. */
	readonly seconds_left: number | null;
	/** How many have it open, or wait to; who shares one version of it is one. */
	readonly readers: number;
	readonly state: DownloadState;
}

/** What a download tells of itself. */
export interface Downloading {
	readonly key: string;
	readonly url: string;
	/** Bytes that are there, whoever brought them. */
	readonly arrivedBytes: number;
	/** Bytes that came from the source. */
	readonly downloadedBytes: number;
	readonly sizeBytes: number | undefined;
	readonly isFollowing: boolean;
	readonly readers: number;
	readonly state: DownloadState;
}

/** @param rate - bytes a second. */
export function statusOf(download: Downloading, rate: number): DownloadStatus {
	const {key, url, arrivedBytes: bytes, sizeBytes: total = null, readers, state} = download;
	if (state === 'paused') return {key, url: redact(url), bytes, total, rate: 0, seconds_left: null, readers, state};
	const secondsLeft = total === null || rate === 0 ? null : Math.ceil(Math.max(total - bytes, 0) / rate);
	return {key, url: redact(url), bytes, total, rate, seconds_left: secondsLeft, readers, state};
}

/** Of what nobody downloads at the moment, and the next reader goes on with. */
export function statusOfLeft({key, facts, arrivedBytes: bytes}: KeptPartial): DownloadStatus {
	const {url, lengthBytes: total} = facts;
	return {key, url: redact(url), bytes, total, rate: 0, seconds_left: null, readers: 0, state: 'paused'};
}
