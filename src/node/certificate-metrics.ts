// The metrics of certificates: how long they hold, and what became of new ones.
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { CertificateFiles } from './certificate-files.ts';

type Counted = Pick<CertificateFiles, 'name' | 'expirySeconds' | 'reloads' | 'failures'>;

export function certificateMetrics(certificates: readonly Counted[]): MetricFamily[] {
  const each = (value: (certificate: Counted) => number) =>
    certificates.map((certificate) => ({
      labels: { certificate: certificate.name },
      value: value(certificate),
    }));
  return [
    gauge(
      'tideway_certificate_expiry_seconds',
      'Time until the certificate in use ends; negative: it has ended.',
      each(({ expirySeconds }) => expirySeconds),
    ),
    counter(
      'tideway_certificate_reloads_total',
      'New certificates taken from their files.',
      each(({ reloads }) => reloads),
    ),
    counter(
      'tideway_certificate_reload_failures_total',
      'New certificates that could not be used, so that the old one stayed.',
      each(({ failures }) => failures),
    ),
  ];
}
