// What this node tells over its state API, put together: what it knows itself, what other nodes are asked for, and what is
// told live. It wires, and decides nothing.
import type { Clock } from '../base/clock.ts';
import type { Handlers } from '../http/api-operations.ts';
import { clusterHandlers } from '../http/cluster-api.ts';
import { ClusterLists } from './cluster-lists.ts';
import { type AskNodes, ClusterState, type StateNeeds } from './cluster-state.ts';

export interface StateApiNeeds extends StateNeeds {
  readonly clock: Clock;
  readonly ask: AskNodes;
  readonly trafficWindowMs: number;
}

export class StateApi {
  readonly handlers: ReturnType<typeof clusterHandlers>;
  readonly state: ClusterState;

  constructor(needs: StateApiNeeds) {
    this.state = new ClusterState(needs);
    const lists = new ClusterLists({ ...needs, envelope: () => this.state.envelope() });
    const listen: Handlers['events'] = () => 'taken';
    this.handlers = clusterHandlers({ state: this.state, lists, listen });
  }
}
