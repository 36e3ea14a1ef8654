/** A deliberation's links: shown, copied, issued anew, revoked. */
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { getJson, postJson, request } from '../net/api';
import { sentence } from '../net/errors';
import type { DeliberationInfo, DeliberationLinks, IssuedLink, LinkInfo } from '../protocol/types';
import { Select } from '../ui/controls';
import { toast } from '../ui/toast';

const ROLES = ['participant', 'facilitator', 'researcher'] as const;

export function Links({ links }: { links: DeliberationLinks }) {
  const rows = [
    ['join', links.join_url],
    ['monitor', links.monitor_url],
    ['review', links.review_url],
    ['outcome', links.outcome_url],
  ] as const;
  return (
    <dl class="links">
      {rows.map(([role, url]) => (
        <div key={role}>
          <dt>{t(`link.${role}`)}</dt>
          <dd>
            <a href={url} target="_blank" rel="noreferrer" data-testid={`link-${role}`}>
              {url.replace(/#.*/, '#…')}
            </a>
            <button type="button" class="button small" onClick={() => void navigator.clipboard.writeText(url).then(() => toast(t('link.copied')))}>
              {t('link.copy')}
              <span class="visually-hidden"> {t(`link.${role}`)}</span>
            </button>
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function LinkList({ token }: { token: string }) {
  const [rows, setRows] = useState<DeliberationInfo[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    getJson<DeliberationInfo[]>('/api/deliberations', token)
      .then(setRows)
      .catch((error: unknown) => setProblem(sentence(error)));
  }, []);
  return (
    <section class="organise-list">
      <h2>{t('organise.list')}</h2>
      {problem && <p class="problem">{problem}</p>}
      {rows?.length === 0 && <p class="muted">{t('organise.listNone')}</p>}
      <ul>
        {rows?.map((row) => (
          <li key={row.id} data-testid="deliberation" data-deliberation={row.id}>
            <details>
              <summary>
                <strong>{row.title}</strong>
                <span class="muted">
                  {new Date(row.created_at * 1000).toLocaleDateString()} · {t('monitor.rooms', { n: row.rooms })} · {t('organise.people', { n: row.participants })}
                  {!row.open && ` · ${t('monitor.closed')}`}
                </span>
              </summary>
              <Links links={row.links} />
              <Issued id={row.id} token={token} />
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Every link that was issued, to revoke, and a form for a new one. */
function Issued({ id, token }: { id: string; token: string }) {
  const base = `/api/deliberations/${encodeURIComponent(id)}/links`;
  const [issued, setIssued] = useState<LinkInfo[]>([]);
  const [fresh, setFresh] = useState<string | null>(null);
  const [role, setRole] = useState<string>('participant');
  const [days, setDays] = useState('30');
  const load = () =>
    getJson<LinkInfo[]>(base, token)
      .then(setIssued)
      .catch((error: unknown) => toast(sentence(error), 'problem'));
  useEffect(() => void load(), []);
  return (
    <div class="issued">
      <ul>
        {issued.map((link) => (
          <li key={link.link_id} class={link.revoked ? 'revoked' : ''}>
            <span>
              {t(`role.${link.role as 'participant'}`)} · {t(link.revoked ? 'link.revoked' : 'link.until', { date: new Date(link.expires_at * 1000).toLocaleDateString() })}
            </span>
            {!link.revoked && (
              <button
                type="button"
                class="link"
                onClick={() =>
                  void request('DELETE', `/api/links/${encodeURIComponent(link.link_id)}`, token)
                    .then(load)
                    .catch((error: unknown) => toast(sentence(error), 'problem'))
                }
              >
                {t('link.revoke')}
              </button>
            )}
          </li>
        ))}
      </ul>
      <form
        class="issue"
        onSubmit={(event) => {
          event.preventDefault();
          postJson<IssuedLink>(base, token, { role, days: Number(days) })
            .then((made) => {
              setFresh(made.url);
              return load();
            })
            .catch((error: unknown) => toast(sentence(error), 'problem'));
        }}
      >
        <Select label={t('link.role')} value={role} options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))} onChange={setRole} />
        <div class="field">
          <label for={`days-${id}`}>{t('link.days')}</label>
          <input id={`days-${id}`} type="number" min={1} max={3650} value={days} onInput={(event) => setDays(event.currentTarget.value)} />
        </div>
        <button type="submit" class="button small">
          {t('link.new')}
        </button>
      </form>
      {fresh && (
        <p class="fresh">
          <a href={fresh}>{fresh}</a>
        </p>
      )}
    </div>
  );
}
