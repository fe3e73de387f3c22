/**
 * What reading a part of a file fetches: `ranges` what is read and a little
 * ahead, `whole` all of it, `auto` all of it while it is read in order.
 */
export const FILL_MODES = ['auto', 'ranges', 'whole'] as const;

export type FillMode = (typeof FILL_MODES)[number];
