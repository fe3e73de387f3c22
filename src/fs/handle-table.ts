import {CacheError} from '../base/errors.js';

/** Open things by number. A number is used again once it is free, so that it stays within 32 bits. */
export class HandleTable<T> {
	readonly #handles = new Map<number, T>();
	readonly #free: number[] = [];
	#next = 1;

	get size(): number {
		return this.#handles.size;
	}

	add(handle: T): number {
		const id = this.#free.pop() ?? this.#next++;
		this.#handles.set(id, handle);
		return id;
	}

	/** @throws CacheError `corrupt-entry`: the kernel asks only for what it was given. */
	get(id: number): T {
		const handle = this.#handles.get(id);
		if (handle === undefined) throw new CacheError('corrupt-entry', `there is no handle ${id}`);
		return handle;
	}

	/** What is open. */
	values(): Iterable<T> {
		return this.#handles.values();
	}

	/** Takes it out. */
	remove(id: number): T {
		const handle = this.get(id);
		this.#handles.delete(id);
		this.#free.push(id);
		return handle;
	}
}
