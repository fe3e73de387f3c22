/** No value: what a default may be that no cache can hold. */
export const ENOVAL: unique symbol = Symbol('ENOVAL');

/** A key that is not known yet when its value is stored, as in `push`. */
export const UNKNOWN: unique symbol = Symbol('UNKNOWN');
