/**
 * What DiskCache's own tests hold it to, by their names: `core/get` is `test_get` of `tests/test_core.py`,
 * `stress/deque_mp` is `tests/stress_test_deque_mp.py`. `ground` is what all of them take for granted, `json` the
 * source of `JSONDisk`; in `recipes` and `index` are those of the documentation's examples too.
 */
const NAMES = {
	ground: 'defaults null_is_a_value settings_in_the_database check_is_clean expire_is_relative large_values_are_files',
	core: `
		init init_path init_disk disk_reset disk_valueerror custom_disk custom_filename_disk init_makedirs pragma_error
		close_error getsetdel get_keyerror1 get_keyerror4 read read_keyerror set_twice set_timeout raw get
		get_expired_fast_path get_ioerror_fast_path get_expired_slow_path pop pop_ioerror delete del del_expired stats path
		expire_rows least_recently_stored least_recently_used least_frequently_used check integrity_check expire tag_index
		evict clear clear_timeout tag with contains touch add add_large_value add_timeout incr decr incr_insert_keyerror
		incr_update_keyerror iter iter_expire iter_error reversed_error reversed push_pull push_pull_prefix push_pull_extras
		push_pull_expire push_peek_expire push_pull_large_value push_peek_large_value pull_ioerror peek_ioerror
		peekitem_ioerror peekitem_extras iterkeys pickle pragmas size_limit_with_files size_limit_with_database
		cull_eviction_policy_none cull_size_limit_0 cull_timeout key_roundtrip constant copy rsync custom_eviction_policy
		lru_incr memoize memoize_kwargs memoize_ignore memoize_iter cleanup_dirs disk_write_os_error`,
	fanout: `
		init init_path set_get_delete getsetdel delitem delitem_keyerror getitem_keyerror set_timeout touch_timeout
		add_timeout delete_timeout incr_timeout decr_timeout get_timeout pop_timeout touch add incr decr pop add_concurrent
		incr_concurrent tag_index read read_keyerror expire evict clear size_limit_with_files size_limit_with_database
		remove_timeout reset_timeout stats volume iter reversed iter_expire pickle memoize copy rsync custom_filename_disk`,
	deque: `
		init getsetdel indexerror indexerror_negative append appendleft index_positive index_negative index_out_of_range
		iter_keyerror reversed_keyerror reversed reverse state compare repr copy count extend extendleft pop popleft
		pop_indexerror popleft_indexerror remove remove_valueerror remove_keyerror rotate rotate_negative rotate_typeerror
		rotate_indexerror rotate_indexerror_negative peek`,
	index: `
		init getsetdel pop pop_keyerror popitem popitem_keyerror setdefault iter reversed state memoize repr
		push pull peekitem views equality transact`,
	recipes:
		'averager lock rlock semaphore memoize_stampede release_errors throttle barrier cache_key_and_wrapped parentheses',
	json: 'custom_disk compress_level read_is_raw tuples_are_lists member_order',
	django: `
		simple default_used_when_none_is_set non_existent add delete delete_nonexistent has_key in prefix get_many set_many
		set_many_returns_empty_list_on_success set_many_expiration delete_many incr decr close data_types unicode
		binary_string cache_read_for_model_instance cache_write_for_model_instance_with_deferred
		cache_read_for_model_instance_with_deferred expiration touch long_timeout forever_timeout zero_timeout float_timeout
		clear clear_does_not_remove_cache_dir creates_cache_dir_if_nonexistent ignores_non_cache_files directory cull
		zero_cull cull_delete_when_store_empty invalid_key_characters invalid_key_length cache_versioning_get_set
		cache_versioning_add cache_versioning_has_key cache_versioning_delete cache_versioning_incr_decr
		cache_versioning_get_set_many incr_version decr_version custom_key_func cache_write_unpicklable_object
		cache_write_unpicklable_type add_fail_on_pickleerror set_fail_on_pickleerror get_or_set get_or_set_callable
		get_or_set_version get_or_set_racing read expire evict pop cache deque index memoize`,
	stress: 'core fanout deque index deque_mp index_mp issue_85 issue_109',
};

export const BEHAVIOURS: readonly string[] = Object.entries(NAMES).flatMap(([part, names]) =>
	names
		.trim()
		.split(/\s+/)
		.map(name => `${part}/${name}`),
);

const NO_MODELS = 'it is of Django’s models, whose fields have defaults; a value here has nothing that would run again';
const NO_VERSIONS = 'Keyv has no versions of a key: a namespace keeps generations apart, and `clear` ends one';
const NO_GET_OR_SET = 'Keyv has no such call; a result that is made once is what `memoize` is for';

/** Those that have no meaning here, and why. */
export const WITHOUT_MEANING: Readonly<Record<string, string>> = {
	'json/member_order': 'it is a weak point of the original (D7): here keys with the same properties are one',
	'django/cache_read_for_model_instance': NO_MODELS,
	'django/cache_write_for_model_instance_with_deferred': NO_MODELS,
	'django/cache_read_for_model_instance_with_deferred': NO_MODELS,
	'django/cache_versioning_get_set': NO_VERSIONS,
	'django/cache_versioning_add': NO_VERSIONS,
	'django/cache_versioning_has_key': NO_VERSIONS,
	'django/cache_versioning_delete': NO_VERSIONS,
	'django/cache_versioning_incr_decr': NO_VERSIONS,
	'django/cache_versioning_get_set_many': NO_VERSIONS,
	'django/incr_version': NO_VERSIONS,
	'django/decr_version': NO_VERSIONS,
	'django/custom_key_func':
		'Keyv makes the key that the store gets of its namespace and the caller’s, and of nothing else',
	'django/get_or_set': NO_GET_OR_SET,
	'django/get_or_set_callable': NO_GET_OR_SET,
	'django/get_or_set_version': NO_GET_OR_SET,
	'django/get_or_set_racing': NO_GET_OR_SET,
	'stress/issue_109':
		'it measures: `npm run bench -- disk-cache` does, and a bound on time would fail on a busy machine',
};
