// The JSON body of a request to the API: read whole, within bounds of size and time, and held against its form. It knows
// no route.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import { allowedWords, issueWords } from './issue-words.ts';

const MAX_BODY_BYTES = 64 * 1024;
/** From the first look at the request to its last byte. */
const BODY_MS = 5_000;
/** Of what is wrong with a body, so many things are told. */
const MAX_PROBLEMS = 5;
const JSON_TYPE = /^application\/json *(;|$)/i;

/**
 * Reads a body of a form; an empty one is `{}`. It has to be sent as `application/json`: a page of another site can't do so
 * without asking first, and private routes say no to that.
 * @throws TidewayError `http.media-type`, `http.body-too-large`, `http.body-timeout`, `http.bad-request`, `api.body`
 */
export async function readJson<T>(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  form: z.ZodType<T>,
  clock: Clock,
): Promise<T> {
  checkHead(request);
  if (request.headers.expect !== undefined) response.writeContinue();
  return shaped(parsed(await readWhole(request, clock)), form);
}

function checkHead({ headers }: IncomingMessage): void {
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    throw new TidewayError(
      'http.media-type',
      'send "Content-Type: application/json", also with an empty body',
    );
  }
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
    throw new TidewayError('http.media-type', 'the body is to be sent without a Content-Encoding');
  }
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
}

/** The listeners are taken off at the end: what comes after a refusal is the server's. */
function readWhole(request: IncomingMessage, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) over(tooLarge());
      else chunks.push(chunk);
    };
    const ended = () => over(undefined);
    const broken = () => over(new TidewayError('http.bad-request', 'the body broke off'));
    const timer = clock.after(BODY_MS, () =>
      over(new TidewayError('http.body-timeout', `the body was not there within ${BODY_MS} ms`)),
    );
    function over(error: TidewayError | undefined): void {
      timer.cancel();
      request.off('data', take).off('end', ended).off('close', broken).off('error', broken);
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    }
    request.on('data', take).once('end', ended).once('close', broken).once('error', broken);
  });
}

function parsed(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new TidewayError('api.body', 'the body is no JSON in UTF-8');
  }
}

function shaped<T>(document: unknown, form: z.ZodType<T>): T {
  const read = form.safeParse(document, { error: allowedWords, reportInput: true });
  if (read.success) return read.data;
  const problems = read.error.issues.flatMap(wordsOf);
  throw new TidewayError('api.body', problems.slice(0, MAX_PROBLEMS).join('; '));
}

function wordsOf(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [`${at || 'the body'} ${issueWords(issue)}`];
  return issue.keys.map((key) => `there is no field ${JSON.stringify(key.slice(0, 64))}${at && ` in ${at}`}`);
}

function tooLarge(): TidewayError {
  return new TidewayError('http.body-too-large', `the body is over ${MAX_BODY_BYTES} bytes`);
}
