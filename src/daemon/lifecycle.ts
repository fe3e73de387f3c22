import {asError, messageOf} from '../base/errors.js';
import {createLog, type AdjustableLog, type Log} from '../base/log.js';
import {formatRate} from '../base/units.js';
import {loadConfig, type Config, type ConfigRequest} from '../config/load.js';
import {changedOptions, OPTIONS} from '../config/options.js';
import {describeLimits, LIMIT_OPTIONS, limitsOf} from '../library/settings.js';
import type {Transport} from '../transport/transport.js';
import {showConnections} from './connection.js';
import {endOfDrive, type EndOfDrive} from './end-of-drive.js';
import {handedIn} from './handed-in.js';
import {thisHost, type Host} from './host.js';
import {MountError} from './mount-error.js';
import {mountDrive, type MountedDrive} from './mount.js';
import {mountAt} from './mount-table.js';
import {prepareMountPoint} from './mountpoint.js';
import {createNotifier, type Notifier} from './notify.js';
import {watchConfig} from './watch.js';
import {startWatchdog, type Watchdog} from './watchdog.js';

/**
 * Mounts a drive and serves it until a signal comes or somebody unmounts it.
 *
 * @param onReady - called once the drive is there for everyone.
 * @throws MountError, UsageError
 */
export async function runDaemon(
	request: ConfigRequest,
	mountpoint: string,
	onReady: (mountpoint: string) => void,
): Promise<void> {
	const config = loadConfig(request);
	const log = createLogFor(config, request);
	const host = thisHost(request.env);
	const notifier = createNotifier(request.env, log);
	const ended = endOfService();
	// A slip in the background must not take the drive away from its readers.
	process.on('unhandledRejection', thrown => log.error('unexpected', {error: asError(thrown).stack}));
	try {
		const place = (await handedIn(config, mountpoint, host)) ?? (await ownPlace(config, mountpoint, {host, log}));
		const {directory, descriptor} = place;
		const context = {log, searchPath: host.searchPath, surroundings: request, descriptor};
		const mounted = await mountDrive(config, directory, context);
		await serve(mounted, {config, request, log, host, notifier, place, ended, onReady});
	} finally {
		notifier.close();
		ended.forget();
	}
}

/** Where the drive is to be. */
interface Place {
	/** Absolute; for the log alone where the drive was mounted by others. */
	readonly directory: string;
	/** Of the device, where others have mounted it: then it is theirs to unmount. */
	readonly descriptor?: number;
	readonly watchdog?: Watchdog;
}

async function ownPlace({settings}: Config, mountpoint: string, tools: {host: Host; log: Log}): Promise<Place> {
	const directory = await prepareMountPoint(mountpoint, {...tools, allowOther: settings.allowOther});
	await showConnections(tools.host);
	return {directory, watchdog: await startWatchdog(directory, tools)};
}

interface Service {
	readonly config: Config;
	readonly request: ConfigRequest;
	readonly log: AdjustableLog;
	readonly host: Host;
	readonly notifier: Notifier;
	readonly place: Place;
	readonly ended: EndOfService;
	readonly onReady: (mountpoint: string) => void;
}

async function serve({cache, transport}: MountedDrive, service: Service): Promise<void> {
	const {config, log, host, notifier, place, ended} = service;
	const {directory, watchdog} = place;
	const {cacheDir} = config.settings;
	const mount = watchdog && (await mountAt(host.mountInfo, directory));
	if (mount !== undefined) watchdog?.guard(mount.device);
	const taken = mount === undefined ? endOfOthers(transport, place) : endOfDrive(mount, transport, host);
	const loaded = cache
		.load()
		.catch((error: unknown) => log.error('the store could not be read', {reason: messageOf(error)}));
	const apply = applier(cache, service);
	const watcher = await watchConfig(config.places, () => void apply().catch(report(log)), log);
	log.info('mounted', {mountpoint: directory, cacheDir, ...describeLimits(cache.limits), transport: transport.name});
	await notifier.ready(`serving ${directory}`);
	service.onReady(directory);

	const why = await Promise.race([ended.signal, taken]);
	log.info('unmounting', {mountpoint: directory, why: why === 'unmounted' ? 'unmounted by another program' : why});
	await notifier.stopping();
	await watcher.close();
	if (why !== 'unmounted') await transport.unmount();
	watchdog?.dismiss();
	await loaded;
	await cache.close();
	if (why === 'aborted') throw new MountError(`the connection of the drive at ${directory} was aborted from outside`);
}

/** Of a drive that is not in the table: of one that was mounted by others, or is gone already. */
async function endOfOthers({ended}: Transport, {descriptor}: Place): Promise<EndOfDrive> {
	if (descriptor !== undefined) await ended;
	return 'unmounted';
}

/**
 * What a changed configuration file can change while the drive is up; of the
 * rest the log says that it waits.
 */
function applier(cache: MountedDrive['cache'], {config, request, log}: Service): () => Promise<void> {
	let applied = config.settings;
	return async () => {
		let next: Config;
		try {
			next = loadConfig(request);
		} catch (error) {
			log.error('the changed configuration is not used', {reason: messageOf(error)});
			return;
		}

		const {settings} = next;
		const limits = LIMIT_OPTIONS.filter(name => changedOptions(applied, settings).includes(name));
		applied = settings;
		log.level = settings.logLevel;
		cache.setBandwidth(settings.bwlimit);
		cache.setOffline(settings.offline);
		if (limits.length > 0) await cache.setLimits(limitsOf(settings, limits));
		const afterRestart = changedOptions(config.settings, settings).filter(name => !OPTIONS[name].live);
		log.info('configuration read again', {
			...describeLimits(cache.limits),
			...{bwlimit: formatRate(settings.bwlimit), offline: settings.offline, logLevel: settings.logLevel},
			...(afterRestart.length > 0 && {afterRestart}),
		});
	};
}

function createLogFor({settings}: Config, {env}: ConfigRequest): AdjustableLog {
	const {logLevel: level, logFormat} = settings;
	const automatic = process.stderr.isTTY ? 'pretty' : env['JOURNAL_STREAM'] ? 'journal' : 'json';
	return createLog({level, format: logFormat === 'auto' ? automatic : logFormat});
}

function report(log: AdjustableLog): (error: unknown) => void {
	return error => log.error('the changed configuration could not be applied', {reason: messageOf(error)});
}

interface EndOfService {
	/** Resolves with the name of the first signal that asks for the end. */
	readonly signal: Promise<string>;
	forget(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

function endOfService(): EndOfService {
	const signal = new Promise<string>(resolve => {
		for (const name of SIGNALS) process.on(name, resolve);
	});
	return {
		signal,
		forget() {
			for (const name of SIGNALS) process.removeAllListeners(name);
		},
	};
}
