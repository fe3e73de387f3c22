/** The one place where the drive is put together: a cache, a file system over it, a transport. */
import {realpath} from 'node:fs/promises';
import path from 'node:path';
import {SYSTEM_CLOCK} from '../base/clock.js';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {UrlCache} from '../cache/url-cache.js';
import type {Config} from '../config/load.js';
import type {Capabilities} from '../fs/capabilities.js';
import {Drive} from '../fs/drive.js';
import {LIMIT_OPTIONS, limitsOf, openCacheWith, type CacheContext, type LimitOption} from '../library/settings.js';
import {Dispatcher} from '../transport/dispatch.js';
import {FUSE_NATIVE_CAPABILITIES, FuseNative} from '../transport/fuse-native.js';
import {KERNEL_CAPABILITIES, KernelTransport} from '../transport/kernel/transport.js';
import type {Transport} from '../transport/transport.js';
import {MountError} from './mount-error.js';
import {transportsFor, type TransportName} from './transports.js';

/** For what is answered from memory or the local disk. */
const LOCAL_DEADLINE_MS = 10_000;

export interface MountedDrive {
	readonly cache: UrlCache;
	readonly transport: Transport;
}

/**
 * Mounts a drive.
 *
 * @param mountpoint - as `prepareMountPoint` or `handedIn` returned it.
 * @param context.descriptor - of the device, where it is mounted already.
 * @throws MountError, UsageError
 */
export async function mountDrive(
	{settings, origins}: Config,
	mountpoint: string,
	context: Pick<CacheContext, 'log' | 'searchPath' | 'surroundings'> & {readonly descriptor?: number | undefined},
): Promise<MountedDrive> {
	await assertApart(settings.cacheDir, mountpoint);
	const isDefault = (name: LimitOption) => origins[name] === 'default';
	const cache = openCacheWith(settings, {
		...context,
		limits: limitsOf(
			settings,
			LIMIT_OPTIONS.filter(name => !isDefault(name)),
		),
		preferred: limitsOf(settings, LIMIT_OPTIONS.filter(isDefault)),
	});
	const {readOnly: isReadOnly, allowOther, openTimeout: openMs, readTimeout: readMs} = settings;
	const driveFor = (capabilities: Capabilities) =>
		new Drive(cache, {isReadOnly, isShared: allowOther, capabilities, clock: SYSTEM_CLOCK});
	const deadlines = {openMs, readMs, otherMs: LOCAL_DEADLINE_MS};
	const make = (name: TransportName) => {
		const dispatcher = new Dispatcher(context.log);
		const where = {...context, mountpoint, allowOther};
		if (name === 'kernel') {
			const options = {...where, passthrough: settings.passthrough};
			return new KernelTransport(driveFor(KERNEL_CAPABILITIES), dispatcher, deadlines, context.log, options);
		}

		return new FuseNative(driveFor(FUSE_NATIVE_CAPABILITIES), dispatcher, deadlines, where);
	};
	try {
		const isHandedIn = context.descriptor !== undefined;
		const names = isHandedIn ? (['kernel'] as const) : transportsFor(settings.transport, origins.transport);
		const transport = await mountFirst(names, make, context.log);
		if (!transport.capabilities.directIo && wantsStreams(settings)) {
			context.log.warn('files of unknown length are not streamed: only the transport kernel can', {
				transport: transport.name,
				instead: 'opening them waits for their end',
			});
		}

		return {cache, transport};
	} catch (cause) {
		await cache.close();
		throw new MountError(`the drive could not be mounted at ${mountpoint}: ${messageOf(cause)}`, {cause});
	}
}

/** Mounts what works here, the first of `names`; of those before it the log says why not. @throws what the last one throws. */
async function mountFirst(
	[name, next, ...others]: readonly TransportName[],
	make: (name: TransportName) => Transport,
	log: Log,
): Promise<Transport> {
	if (name === undefined) throw new Error('there is nothing to mount it with');
	try {
		const transport = make(name);
		await transport.mount();
		return transport;
	} catch (error) {
		if (next === undefined) throw error;
		log.warn(`the transport ${name} does not work here: ${next} is used`, {reason: messageOf(error)});
		return mountFirst([next, ...others], make, log);
	}
}

/** Whether `stream-unknown` is said of any host. */
function wantsStreams({streamUnknown, hosts}: Config['settings']): boolean {
	return streamUnknown || hosts.some(rule => rule.streamUnknown === true);
}

/** A drive over its own store, or a store in its own drive, would wait for itself. */
async function assertApart(cacheDir: string, mountpoint: string): Promise<void> {
	const isWithin = (inner: string, outer: string) => !path.relative(outer, inner).startsWith('..');
	// Looked at as written first: in a drive that was mounted by others, any question would wait for us.
	const store = isWithin(cacheDir, mountpoint) ? cacheDir : await resolveLinks(cacheDir);
	if (!isWithin(store, mountpoint) && !isWithin(mountpoint, store)) return;
	throw new MountError(`the cache directory ${cacheDir} and the mount point ${mountpoint} must lie apart`);
}

/** As realpath(3), for a path of which only the beginning may exist. */
async function resolveLinks(file: string): Promise<string> {
	try {
		return await realpath(file);
	} catch {
		const parent = path.dirname(file);
		return parent === file ? file : path.join(await resolveLinks(parent), path.basename(file));
	}
}
