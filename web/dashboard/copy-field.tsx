// A text to be pasted elsewhere, and a button that copies it. Only a secure page (https, or this machine) may copy; elsewhere a
// click selects the whole text.
import { useState } from 'preact/hooks';

const COPIED_MS = 2000;

export function CopyField({ label, text }: { label: string; text: string }) {
  const [said, setSaid] = useState('Copy');
  const copy = async () => {
    const isCopied = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    setSaid(isCopied ? 'Copied' : 'Not allowed');
    window.setTimeout(() => setSaid('Copy'), COPIED_MS);
  };
  return (
    <div class="copy">
      <code>{text}</code>
      {navigator.clipboard && (
        <button type="button" aria-label={`${said}: ${label}`} onClick={() => void copy()}>
          {said}
        </button>
      )}
    </div>
  );
}
