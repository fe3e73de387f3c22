import test from 'ava';

test('larder/disk-cache has all that DiskCache has, by its names', async t => {
	const library = await import('larder/disk-cache');
	const names = [
		...['Averager', 'BoundedSemaphore', 'Cache', 'DEFAULT_SETTINGS', 'Deque', 'Disk', 'ENOVAL', 'EVICTION_POLICY'],
		...['EmptyDirWarning', 'FanoutCache', 'Index', 'JSONDisk', 'Lock', 'RLock', 'Timeout', 'UNKNOWN'],
		...['UnknownFileWarning', 'barrier', 'memoizeStampede', 'throttle', 'KeyvStore'],
	];
	t.deepEqual(
		names.filter(name => !(name in library)),
		[],
	);
});
