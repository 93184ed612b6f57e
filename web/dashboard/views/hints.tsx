// How to publish, while nothing is published: settings for OBS and a line for ffmpeg, with this node's own address.
import type { StatusAnswer } from '../../../src/http/forms/nodes.ts';
import { CopyField } from '../copy-field.tsx';
import { publishHints } from '../publish-hints.ts';

export function Hints({ status }: { status: StatusAnswer }) {
  const { server, key, ffmpeg } = publishHints(location.hostname, status);
  return (
    <section class="hints" aria-labelledby="hints-title">
      <h2 id="hints-title">Nothing is live yet</h2>
      <p>Publish something to any node, and it shows up here by itself.</p>
      <div class="ways">
        <section class="panel" aria-labelledby="hints-obs">
          <h3 id="hints-obs">With OBS</h3>
          <p>Settings, Stream, Service “Custom”:</p>
          <dl>
            <dt>Server</dt>
            <dd>
              <CopyField label="Server" text={server} />
            </dd>
            <dt>Stream key</dt>
            <dd>
              <CopyField label="Stream key" text={key} />
            </dd>
          </dl>
        </section>
        <section class="panel" aria-labelledby="hints-ffmpeg">
          <h3 id="hints-ffmpeg">With ffmpeg</h3>
          <p>A test picture with a tone:</p>
          <CopyField label="ffmpeg line" text={ffmpeg} />
        </section>
      </div>
      {status.publishHint.note !== null && <p>{status.publishHint.note}</p>}
    </section>
  );
}
