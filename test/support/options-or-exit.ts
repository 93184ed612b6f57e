// The options of a command, or its end: by its usage where that was asked for, by what is wrong with them where they are of no use.

/**
 * @param read undefined: help was asked for; throws an Error that names what is wrong
 * @param usage in words
 */
export function optionsOrExit<Options>(
  read: (args: readonly string[]) => Options | undefined,
  usage: string,
): Options {
  try {
    const options = read(process.argv.slice(2));
    if (options) return options;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}
