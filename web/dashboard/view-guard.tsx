// Keeps a view that fails from taking the page with it: an answer may be of a node of another version.
import { Component, type ComponentChildren } from 'preact';

interface GuardState {
  /** What the view failed by. */
  readonly why: string | undefined;
}

const RETRY_MS = 2000;

/** Tries again by itself: the next answer may be another one. */
export class ViewGuard extends Component<{ children: ComponentChildren }, GuardState> {
  override state: GuardState = { why: undefined };
  #timer = 0;

  static override getDerivedStateFromError(error: unknown): GuardState {
    return { why: error instanceof Error ? error.message : String(error) };
  }

  override componentDidUpdate() {
    if (this.state.why === undefined) return;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.setState({ why: undefined }), RETRY_MS);
  }

  override componentWillUnmount() {
    window.clearTimeout(this.#timer);
  }

  override render() {
    const { why } = this.state;
    if (why === undefined) return this.props.children;
    return (
      <>
        <h1>This view can not be shown</h1>
        <p class="notice warn">
          The node's answer is not what this page expects: {why}. Is it of another version? Other views may
          work.
        </p>
      </>
    );
  }
}
