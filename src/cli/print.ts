// Text to standard output, to the last byte.

/**
 * Waits until a pipe has taken it all: the process may exit behind it.
 * @returns `gone`: who reads no further, such as `head`, has had enough
 */
export function print(text: string, { stdout }: Pick<NodeJS.Process, 'stdout'>): Promise<'taken' | 'gone'> {
  return new Promise((resolve) => {
    const gone = () => resolve('gone');
    stdout.once('error', gone);
    stdout.write(text, (error) => {
      if (error) return; // 'error' follows.
      stdout.off('error', gone);
      resolve('taken');
    });
  });
}
