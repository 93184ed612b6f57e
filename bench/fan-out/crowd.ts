// A process full of players. Forked; obeys CrowdOrder and answers CrowdReport. What `delivery` is: see delivery.ts. Frozen
// groups have none (0), and are lost when their server has closed the connection.
import { CrowdGroup } from './crowd-group.ts';
import type { CrowdOrder, CrowdReport } from './orders.ts';
import { serveOrders } from './serve.ts';

class Crowd {
  readonly #groups = new Map<string, CrowdGroup>();

  async obey(order: CrowdOrder): Promise<Omit<CrowdReport, 'id'>> {
    if (order.do === 'join') {
      if (this.#groups.has(order.group)) throw new Error(`there is a group ${order.group} already`);
      const group = new CrowdGroup(order);
      this.#groups.set(order.group, group);
      return group.join();
    }
    const group = this.#groups.get(order.group);
    if (!group) throw new Error(`there is no group ${order.group}`);
    const report = await group.measure();
    if (order.do === 'leave') {
      this.#groups.delete(order.group);
      group.leave();
    }
    return report;
  }
}

const crowd = new Crowd();
serveOrders<CrowdOrder>((order) => crowd.obey(order));
