// The way in, where the API answers only this machine or who has the token.
import { useState } from 'preact/hooks';
import { CopyField } from './copy-field.tsx';
import { Panel } from './parts.tsx';
import { useServices } from './services.ts';

export function Locked({ code, detail }: { code: string; detail: string }) {
  const { hostname, port, protocol } = location;
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  return (
    <>
      <h1>The API is locked</h1>
      <p class="notice warn" role="alert">
        {detail}
      </p>
      <div class="ways">
        {code === 'api.token' && <TokenForm />}
        <Panel title="By a tunnel" id="tunnel-title">
          <p>
            The node's own machine needs no token. From here, with SSH, and then open{' '}
            <span class="mono">http://localhost:{ownPort}/</span>:
          </p>
          <CopyField label="ssh line" text={`ssh -N -L ${ownPort}:127.0.0.1:${ownPort} ${hostname}`} />
        </Panel>
        {code !== 'api.token' && (
          <Panel title="By a token" id="set-token-title">
            <p>
              Give the node a token: <span class="mono">api.token</span> in its configuration, or{' '}
              <span class="mono">TIDEWAY_API_TOKEN</span>. Then this page asks for it. Serve it by HTTPS then,
              so that nobody on the way can read it.
            </p>
          </Panel>
        )}
      </div>
    </>
  );
}

function TokenForm() {
  const { api, feed } = useServices();
  const [token, setToken] = useState('');
  const enter = (event: Event) => {
    event.preventDefault();
    api.useToken(token.trim());
    feed.reconnect();
  };
  return (
    <Panel title="By the token" id="token-title">
      <form onSubmit={enter} class="token">
        <label for="token">
          A token of the node: <span class="mono">api.token</span>, or one of{' '}
          <span class="mono">api.tokens</span>. It is kept in this tab until that is closed.
        </label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          required
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <div class="dialog-actions">
          {api.hasToken && (
            <button
              type="button"
              onClick={() => {
                api.useToken('');
                feed.reconnect();
              }}
            >
              Forget it
            </button>
          )}
          <button type="submit" class="primary">
            Enter
          </button>
        </div>
      </form>
    </Panel>
  );
}
