/** The part of proxy-from-env 2 that is used. It has no types of its own. */
declare module 'proxy-from-env' {
	/** The URL of the proxy that the process's environment has for `url`, or `''`. */
	export function getProxyForUrl(url: string): string;
}
