// A question that must be answered before something is done that can't be undone.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface ConfirmProps {
  readonly title: string;
  readonly action: string;
  readonly children: ComponentChildren;
  /** Throws what went wrong; the dialog then stays, and says it. */
  confirm(): Promise<void>;
  close(): void;
}

/** Modal: the browser keeps the focus inside, and Escape closes it. Focus goes back to where it was. */
export function Confirm({ title, action, children, confirm, close }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [step, setStep] = useState<{ at: 'asked' | 'doing' } | { at: 'failed'; why: string }>({
    at: 'asked',
  });
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const act = async () => {
    setStep({ at: 'doing' });
    try {
      await confirm();
      dialog.current?.close();
    } catch (error) {
      setStep({ at: 'failed', why: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="dialog-title" onClose={close}>
      <h2 id="dialog-title">{title}</h2>
      {children}
      <p class="bad" role="alert">
        {step.at === 'failed' ? step.why : ''}
      </p>
      <div class="dialog-actions">
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" class="danger" disabled={step.at === 'doing'} onClick={() => void act()}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
