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
import {Dispatcher, type Deadlines} from '../transport/dispatch.js';
import {FUSE_NATIVE_CAPABILITIES, FuseNative} from '../transport/fuse-native.js';
import type {Passthrough} from '../transport/kernel/session.js';
import {KERNEL_CAPABILITIES, KernelTransport} from '../transport/kernel/transport.js';
import type {MountOptions, Transport} from '../transport/transport.js';
import {MountError} from './mount-error.js';

/** For what is answered from memory or the local disk. */
const LOCAL_DEADLINE_MS = 10_000;

export interface MountedDrive {
	readonly cache: UrlCache;
	readonly transport: Transport;
}

/**
 * Mounts a drive.
 *
 * @param mountpoint - as `prepareMountPoint` returned it.
 * @throws MountError, UsageError
 */
export async function mountDrive(
	{settings, origins}: Config,
	mountpoint: string,
	context: Pick<CacheContext, 'log' | 'searchPath' | 'surroundings'>,
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
	const where = {...context, mountpoint, allowOther};
	try {
		const {transport, passthrough} = settings;
		const kernel =
			transport === 'fuse-native' ? undefined : await mountKernel(driveFor, deadlines, {...where, passthrough});
		return {cache, transport: kernel ?? (await mountFuseNative(driveFor, deadlines, where))};
	} catch (cause) {
		await cache.close();
		throw new MountError(`the drive could not be mounted at ${mountpoint}: ${messageOf(cause)}`, {cause});
	}
}

interface Where extends MountOptions {
	readonly log: Log;
	readonly searchPath: string;
}

/** The drive, as it is over a transport that can do so much. */
type DriveFor = (capabilities: Capabilities) => Drive;

async function mountFuseNative(driveFor: DriveFor, deadlines: Deadlines, {log, ...options}: Where): Promise<Transport> {
	const drive = driveFor(FUSE_NATIVE_CAPABILITIES);
	const transport = new FuseNative(drive, new Dispatcher(log), deadlines, options);
	await transport.mount();
	return transport;
}

/** @returns undefined where it does not work here, which the log says. */
async function mountKernel(
	driveFor: DriveFor,
	deadlines: Deadlines,
	{log, ...options}: Where & {readonly passthrough: Passthrough},
): Promise<Transport | undefined> {
	try {
		const drive = driveFor(KERNEL_CAPABILITIES);
		const transport = new KernelTransport(drive, new Dispatcher(log), deadlines, log, options);
		await transport.mount();
		return transport;
	} catch (error) {
		log.warn('the kernel transport does not work here: fuse-native is used', {reason: messageOf(error)});
		return undefined;
	}
}

/** A drive over its own store, or a store in its own drive, would wait for itself. */
async function assertApart(cacheDir: string, mountpoint: string): Promise<void> {
	const store = await resolveLinks(cacheDir);
	const isWithin = (inner: string, outer: string) => !path.relative(outer, inner).startsWith('..');
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
