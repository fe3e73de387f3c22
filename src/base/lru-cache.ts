/** A map that forgets what was not used for the longest time, once it is full. */
export {LRUCache} from 'lru-cache';
