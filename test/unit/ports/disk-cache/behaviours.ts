/** What DiskCache's own tests hold it to, by their names: `core/get` is `test_get` of `tests/test_core.py`. */
const NAMES = {
	core: `
		init init_disk disk_reset disk_valueerror custom_disk custom_filename_disk init_makedirs pragma_error close_error
		getsetdel get_keyerror1 get_keyerror4 read read_keyerror set_twice set_timeout raw get get_expired_fast_path
		get_ioerror_fast_path get_expired_slow_path get_ioerror_slow_path pop pop_ioerror delete del del_expired stats path
		expire_rows least_recently_stored least_recently_used least_frequently_used check integrity_check expire tag_index
		evict evict_timeout clear clear_timeout tag multiple_threads thread_safe with contains touch add add_large_value
		add_timeout add_concurrent incr incr_insert_keyerror incr_update_keyerror decr iter iter_expire iter_error reversed
		reversed_error push_pull push_pull_prefix push_pull_extras push_pull_expire push_peek_expire push_pull_large_value
		push_peek_large_value pull_ioerror peek_ioerror peekitem_extras peekitem_ioerror iterkeys pickle pragmas
		size_limit_with_files size_limit_with_database cull_eviction_policy_none cull_size_limit_0 cull_timeout
		key_roundtrip constant copy rsync custom_eviction_policy lru_incr memoize memoize_kwargs memoize_ignore cleanup_dirs
		disk_write_os_error`,
	fanout: `
		init init_path set_get_delete set_timeout touch touch_timeout add add_timeout add_concurrent incr incr_timeout decr
		decr_timeout incr_concurrent getsetdel get_timeout pop pop_timeout delete_timeout operationalerror delitem
		delitem_keyerror tag_index read read_keyerror getitem_keyerror expire evict size_limit_with_files
		size_limit_with_database clear remove_timeout reset_timeout stats volume iter iter_expire reversed pickle memoize
		copy rsync custom_filename_disk`,
	deque: `
		init getsetdel index_positive index_negative index_out_of_range iter_keyerror reversed reversed_keyerror state
		compare indexerror_negative indexerror repr copy count extend extendleft pop pop_indexerror popleft popleft_indexerror
		remove remove_valueerror remove_keyerror reverse rotate_typeerror rotate rotate_negative rotate_indexerror
		rotate_indexerror_negative peek maxlen`,
	index: 'init getsetdel pop pop_keyerror popitem popitem_keyerror setdefault iter reversed state memoize repr',
	recipes: 'averager lock rlock semaphore throttle barrier memoize_stampede',
};

export const BEHAVIOURS: readonly string[] = Object.entries(NAMES).flatMap(([part, names]) =>
	names
		.trim()
		.split(/\s+/)
		.map(name => `${part}/${name}`),
);

/** Those that have no meaning here, and why. */
export const WITHOUT_MEANING: Readonly<Record<string, string>> = {
	'core/custom_filename_disk': 'a file’s name tells who wrote it, so a disk does not choose it',
	'core/custom_eviction_policy': 'the policies are a closed set: one of the caller’s would be SQL',
	'core/pragma_error': 'it is of how the original says a pragma again; here the connection waits',
	'core/close_error': 'it is of connections of threads; a handle here has one',
	'core/iter_error': 'it is of Python’s iterators: a generator of JavaScript has no state before its first value',
	'core/reversed_error': 'as core/iter_error',
	'core/pickle': 'an open cache is not serialised: who wants it elsewhere opens its directory',
	'core/memoize_kwargs': 'there are no keyword arguments; an object is an argument like another',
	'fanout/pickle': 'as core/pickle',
	'fanout/custom_filename_disk': 'as core/custom_filename_disk',
	'deque/repr': 'objects have no text that makes them again',
	'deque/rotate_indexerror': 'a rotation is one transaction, so nobody takes items away meanwhile',
	'deque/rotate_indexerror_negative': 'as deque/rotate_indexerror',
	'index/repr': 'as deque/repr',
};
