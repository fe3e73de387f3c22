/** What the original's own tests check, by their names, and what was found weak in it: each row is a test, or has a reason. */

/** The tests of aiohttp-client-cache that concern its file system backend. `__*` stands for several. */
export const BEHAVIOURS = [
	...['test_write_read', 'test_missing_key', 'test_delete', 'test_bulk_delete'],
	...['test_bulk_delete_ignores_nonexistent_keys', 'test_keys_values', 'test_size', 'test_clear', 'test_use_temp'],
	...['test_paths', 'test_write_error', 'test_redirect_cache_path', 'test_all_methods'],
	...['test_all_methods__ignore_parameters', 'test_gather', 'test_concurrent', 'test_without_contextmanager'],
	...['test_context_manager', 'test_autoclose', 'test_autoclose__disabled', 'test_request__expire_after'],
	...['test_delete_expired_responses', 'test_redirects', 'test_include_headers', 'test_streaming_requests'],
	...['test_streaming_request__ignored', 'test_cache_control__expiration', 'test_request__cache_control_disabled'],
	...['test_request__skip_cache_read', 'test_request__skip_cache_read_write', 'test_response__skip_cache_write'],
	...['test_conditional_request', 'test_conditional_request_changed', 'test_no_support_for_conditional_request'],
	...['test_cookies_with_redirect', 'test_serializer__pickle', 'test_serializer__itsdangerous', 'test_disabled'],
	...['test_normalize_url_params', 'test_encode_duplicate_params', 'test_encode_request_body'],
	...['test_get_response__*', 'test_save_response', 'test_delete_url', 'test_has_url', 'test_get_urls'],
	...['test_is_cacheable', 'test_init_from_request', 'test_init_from_settings', 'test_init_from_headers'],
	...['test_update_from_response', 'test_get_expiration_datetime__*', 'test_session__locks_do_not_leak'],
];

/** See docs/response-cache.md. */
export const WEAK_POINTS = ['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'H7', 'H8'];

export const NOT_APPLICABLE: Readonly<Record<string, string>> = {
	test_serializer__pickle: 'nothing is pickled: there is one format, which is data',
	test_serializer__itsdangerous: 'entries are not signed: loading one runs no code, whoever wrote it',
	test_cookies_with_redirect: 'fetch has no jar of cookies; those of a stored response stay among its headers',
};
