/** A transfer of which nothing moved for so long is over. */
export const stallMs = 60_000;
