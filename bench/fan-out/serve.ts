// The end of a forked process at which orders come in and answers go out. It knows no order by name.

/**
 * Carries out orders one after the other as they begin, each answered by what it resolves to, or by why it failed. The
 * process ends with its parent.
 */
export function serveOrders<Order extends { readonly id: number }>(
  carryOut: (order: Order) => Promise<object>,
): void {
  process.on('message', (order: Order) => {
    void carryOut(order)
      .catch((error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }))
      .then((answer) => process.send?.({ id: order.id, ...answer }));
  });
  process.on('disconnect', () => process.exit(0));
}
