// Keeps a view that fails from taking the page with it: an answer may be of a node of another version.
import { Component, type ComponentChildren } from 'preact';

interface GuardState {
  /** What the view failed by. */
  readonly why: string | undefined;
}

export class ViewGuard extends Component<{ children: ComponentChildren }, GuardState> {
  override state: GuardState = { why: undefined };

  static override getDerivedStateFromError(error: unknown): GuardState {
    return { why: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    const { why } = this.state;
    if (why === undefined) return this.props.children;
    return (
      <>
        <h1>This view can not be shown</h1>
        <p class="notice warn" role="alert">
          The node's answer is not what this page expects: {why}. Is it of another version? Other views may
          work.
        </p>
        <p>
          <button type="button" onClick={() => this.setState({ why: undefined })}>
            Try again
          </button>
        </p>
      </>
    );
  }
}
