// What this node tells over its state API, put together: what it knows itself, what other nodes are asked for, and what is
// told live. It wires, and decides nothing.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import { clusterHandlers } from '../http/cluster-api.ts';
import { liveHandler } from '../http/live-api.ts';
import type { AskNodes } from './cluster-ask.ts';
import { ClusterLists } from './cluster-lists.ts';
import { ClusterState, type StateNeeds } from './cluster-state.ts';
import { Live } from './live.ts';

export interface StateApiNeeds extends StateNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly ask: AskNodes;
  readonly trafficWindowMs: number;
}

export class StateApi {
  readonly handlers: ReturnType<typeof clusterHandlers>;
  readonly state: ClusterState;
  readonly live: Live;
  readonly #lists: ClusterLists;

  constructor(needs: StateApiNeeds) {
    this.state = new ClusterState(needs);
    this.#lists = new ClusterLists({ ...needs, envelope: () => this.state.envelope() });
    this.live = new Live({ ...needs, state: this.state });
    this.handlers = clusterHandlers({
      state: this.state,
      lists: this.#lists,
      listen: liveHandler(this.live),
    });
  }

  get tables(): Table[] {
    return [...this.state.tables, this.#lists.table];
  }
}
