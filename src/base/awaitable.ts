/** What is there at once, or comes. A promise only where there was something to wait for. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Goes on with a value when it is there: at once where it is, so that what waits
 * for nothing is done in one go. A failure to come is the result's; one that is
 * there is thrown.
 */
export function after<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
	return value instanceof Promise ? value.then(next) : next(value);
}

/** As `promise.catch`, for both. */
export function otherwise<T, U>(work: () => Awaitable<T>, handle: (error: unknown) => U): Awaitable<T | U> {
	try {
		const value = work();
		return value instanceof Promise ? value.catch(handle) : value;
	} catch (error) {
		return handle(error);
	}
}
