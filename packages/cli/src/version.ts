/** Version of this program; the daemon tells its own. */
export const cliVersion = "0.1.0";
