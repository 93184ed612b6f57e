// When the process has to end, and why: a signal, or an error that nobody caught.
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export interface ProcessEnd {
  readonly why: Reason;
  readonly exitCode: 0 | 1;
}

/** Each resolves with the first cause of its kind. */
export interface ProcessEnds {
  /** Somebody asked for it: there is time to do it in order. */
  readonly asked: Promise<ProcessEnd>;
  /** An error in the node: there is none. */
  readonly failed: Promise<ProcessEnd>;
}

/**
 * Listens for what ends the process. After a signal, a second one exits at once with 1: the person is in a hurry. An
 * uncaught error (a rejected promise that nobody awaits included) is logged and ends the node in order.
 */
export function processEnds(process: NodeJS.Process, log: Log): ProcessEnds {
  const asked = new Promise<ProcessEnd>((resolve) => {
    let signalled = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (signalled) process.exit(1);
      signalled = true;
      resolve({ why: { code: 'process.signal', message: `the node was stopped by ${signal}` }, exitCode: 0 });
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  const failed = new Promise<ProcessEnd>((resolve) => {
    process.on('uncaughtException', (error) => {
      log.error({ err: error }, 'process.fatal');
      resolve({ why: { code: 'process.fatal', message: 'the node failed: an error in it' }, exitCode: 1 });
    });
  });
  return { asked, failed };
}
