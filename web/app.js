// The live page. Draws what /events sends each second: {status} as /status has it, and the points of the history that are new.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const SPAN = 15 * 60;
  const MOST_LANES = 200;
  const FEW_SCOPES = 8; // so many fit on a screen, idle ones as well
  const series = new Map(); // scope key -> columns
  let chosen = null;
  let chosenByHand = false;
  let everyScope = false;
  let latest = null;
  let charts = [];

  const keyOf = (s) => `${s.model} ${s.credential}`;
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
  const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
  const number = (n) => (Math.round(n) || 0).toLocaleString('en'); // never "-0"
  const seconds = (s) => {
    if (s < 0.0005) return '0 s';
    if (s < 1) return `${Math.round(s * 1000)} ms`;
    if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
    const whole = Math.round(s);
    const [big, small] = s < 7200 ? [`${Math.floor(whole / 60)} min`, `${whole % 60} s`]
      : [`${Math.floor(whole / 3600)} h`, `${Math.floor((whole % 3600) / 60)} min`];
    return small.startsWith('0 ') ? big : `${big} ${small}`;
  };
  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  /// What the next one of a model waits for.
  const waitsFor = (s) => (s.paused ? 'paused by hand' : s.held_by ? s.held_by.text : '–');
  /// What has to come first of a request whose time nobody knows.
  const when = (t) => (t.expected_in_seconds === null ? `when ${t.sent_when}` : seconds(t.expected_in_seconds));
  const cell = (tag, className) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    return node;
  };

  /// Keeps a table's rows by key, so that focus and selection survive an update.
  function rows(id, items, key, make, update) {
    const body = $(id).tBodies[0];
    const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
    items.forEach((item, i) => {
      const name = key(item, i);
      let row = old.get(name);
      old.delete(name);
      if (!row) {
        row = make(item);
        row.dataset.key = name;
      }
      update(row, item, i);
      if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] || null);
    });
    old.forEach((row) => row.remove());
    $(id).hidden = !items.length;
  }

  function plainRow(classes, headed) {
    const row = document.createElement('tr');
    classes.forEach((c, i) => {
      const node = row.appendChild(cell(i === headed ? 'th' : 'td', c));
      if (i === headed) node.scope = 'row';
    });
    return row;
  }

  /// "0 of 60 requests/min": the limit that counts at the moment.
  const limitText = (b) => `${number(Math.max(0, Math.floor(b.remaining)))} of ${number(b.limit)} ` +
    `${b.resource.replace('_', ' ')}/${b.window === 'minute' ? 'min' : b.window}`;

  async function post(path, body) {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...authorization() },
      body: JSON.stringify(body),
    });
    if (!answer.ok) alert((await answer.json()).error.message);
  }

  /// The scopes that the table shows: those whose name has the text of the filter; and while there are many and none is asked for, only
  /// those in use.
  function shownScopes(scopes) {
    const wanted = $('scope-filter').value.trim().toLowerCase();
    const found = scopes.filter((s) => s.model.toLowerCase().includes(wanted));
    const busy = found.filter((s) => s.queued || s.in_flight || s.paused || keyOf(s) === chosen);
    $('scope-tools').hidden = scopes.length <= FEW_SCOPES;
    const idle = found.length - busy.length;
    const collapsed = !everyScope && !wanted && scopes.length > FEW_SCOPES && idle > 0;
    $('scope-more').hidden = !collapsed && !everyScope;
    setText($('scope-more'), collapsed ? `Show ${number(idle)} idle` : 'Hide idle');
    const orders = {
      waiting: (a, b) => b.queued - a.queued,
      left: (a, b) => shareLeft(a) - shareLeft(b),
      name: () => 0,
    };
    return (collapsed ? busy : found).sort((a, b) => orders[$('scope-order').value](a, b) || keyOf(a).localeCompare(keyOf(b)));
  }

  const shareLeft = (s) => (s.binding ? Math.max(0, s.binding.remaining / s.binding.limit) : 2);

  function choose(scopes) {
    const mine = scopes.some((s) => keyOf(s) === chosen);
    if (mine && chosenByHand) return;
    const busiest = [...scopes].sort((a, b) => b.queued - a.queued || b.in_flight - a.in_flight)[0];
    if (!mine || (busiest.queued && !scopes.find((s) => keyOf(s) === chosen).queued)) chosen = busiest ? keyOf(busiest) : null;
  }

  function showScopes(scopes) {
    $('no-scopes').hidden = scopes.length > 0;
    if (latest.url) setText($('client-url'), `${latest.url}/v1`);
    choose(scopes);
    rows('scopes', shownScopes(scopes), keyOf, (s) => {
      const row = plainRow(['model', '', '', 'number', 'number', '', ''], 0);
      const pick = row.cells[0].appendChild(cell('button', 'plain'));
      pick.textContent = s.model || '(no model)';
      pick.title = s.model;
      pick.addEventListener('click', () => {
        chosen = keyOf(s);
        chosenByHand = true;
        show(latest);
      });
      const meter = row.cells[2].appendChild(cell('span', 'meter'));
      meter.appendChild(cell('i')).appendChild(cell('b'));
      meter.appendChild(cell('span'));
      row.cells[6].appendChild(cell('button'));
      return row;
    }, (row, s) => {
      const name = keyOf(s);
      row.classList.toggle('chosen', name === chosen);
      row.cells[0].firstChild.setAttribute('aria-pressed', String(name === chosen));
      setText(row.cells[1], waitsFor(s));
      const [bar, text] = row.cells[2].firstChild.children;
      bar.firstChild.style.width = s.binding ? `${Math.max(0, Math.min(100, (100 * Math.floor(s.binding.remaining)) / s.binding.limit))}%` : '0';
      setText(text, s.binding ? limitText(s.binding) : 'no limit is known yet');
      setText(row.cells[3], number(s.queued));
      setText(row.cells[4], number(s.in_flight));
      setText(row.cells[5], s.key);
      const button = row.cells[6].firstChild;
      setText(button, s.paused ? 'Resume' : 'Pause');
      button.setAttribute('aria-label', `${s.paused ? 'Resume' : 'Pause'} ${s.model}, ${s.key}`);
      button.onclick = () => post(s.paused ? 'scopes/resume' : 'scopes/pause', { model: s.model, credential: s.credential });
    });
  }

  const stateOf = (u) => (u.paused ? 'paused by hand'
    : u.set_aside_for_seconds ? `key refused; tried again in ${seconds(Math.ceil(u.set_aside_for_seconds))}` : 'in use');
  const breakerText = (b) => b.state.toLowerCase().replace('_', ' ');

  /// Absent if there is one destination only.
  function showUpstreams(upstreams = []) {
    $('upstreams').closest('section').hidden = !upstreams.length;
    rows('upstreams', upstreams, (u) => u.name, () => {
      const row = plainRow(['model', '', '', 'number', 'number', 'number', ''], 0);
      row.cells[6].appendChild(cell('button'));
      return row;
    }, (row, u) => {
      setText(row.cells[0], u.name);
      setText(row.cells[1], stateOf(u));
      setText(row.cells[2], breakerText(u.circuit_breaker));
      setText(row.cells[3], u.recent.failures ? `${number(u.recent.failures)} of ${number(u.recent.attempts)}` : '0');
      setText(row.cells[4], number(u.queued));
      setText(row.cells[5], number(u.in_flight));
      const button = row.cells[6].firstChild;
      const action = u.paused ? 'Resume' : 'Pause';
      setText(button, action);
      button.setAttribute('aria-label', `${action} upstream ${u.name}`);
      button.onclick = () => post(`upstreams/${action.toLowerCase()}`, { upstream: u.name });
    });
  }

  // Seconds, if nobody uses any meanwhile; 0: it is full, or nobody knows.
  function fullIn(b) {
    const part = Math.max(0, 1 - b.remaining / b.limit);
    return b.reset_in_seconds ?? (b.refill === 'continuous' ? part * { minute: 60, hour: 3600, day: 86400 }[b.window] : 0);
  }

  function showBudgets(scope) {
    rows('budgets', scope ? scope.budgets : [], (b) => `${b.resource} ${b.window}`,
      () => plainRow(['', 'number', 'number', 'number', '', ''], 0), (row, b) => {
        setText(row.cells[0], `${b.resource.replace('_', ' ')} a ${b.window}`);
        setText(row.cells[1], number(Math.max(0, Math.floor(b.remaining))));
        setText(row.cells[2], number(b.limit));
        setText(row.cells[3], fullIn(b) > 0 ? seconds(Math.ceil(fullIn(b))) : '–');
        setText(row.cells[4], b.refill + (b.refill_confirmed ? '' : ' (assumed)'));
        setText(row.cells[5], b.reported ? "the provider's headers" : 'the configuration');
      });
  }

  function showWaiting(status) {
    const all = status.scopes.flatMap((s) => s.waiting.map((t) => ({ ...t, model: s.model, why: waitsFor(s) })))
      .sort((a, b) => (a.expected_in_seconds === null) - (b.expected_in_seconds === null) || a.expected_in_seconds - b.expected_in_seconds);
    const total = status.queue.length;
    $('nobody-waits').hidden = all.length > 0;
    setText($('waiting-count'), total ? `(${number(total)})` : '');
    const lanes = all.slice(0, MOST_LANES);
    const longest = Math.max(1, ...lanes.map((t) => t.waited_seconds + t.expected_in_seconds));
    rows('waiting', lanes, (t, i) => String(i), () => {
      const row = plainRow(['number', 'when', 'why', 'model', '', 'number', 'number', 'number', 'lane'], 0);
      const bar = row.cells[8].appendChild(cell('span', 'lane-bar'));
      bar.append(cell('b'), cell('u'));
      return row;
    }, (row, t) => {
      setText(row.cells[0], String(t.position));
      setText(row.cells[1], when(t));
      setText(row.cells[2], t.held_by ? t.held_by.text : t.why);
      setText(row.cells[3], t.model);
      setText(row.cells[4], t.client_name);
      setText(row.cells[5], String(t.urgency));
      setText(row.cells[6], number(t.tokens));
      setText(row.cells[7], seconds(t.waited_seconds));
      const [before, after] = row.cells[8].firstChild.children;
      before.style.width = `${(100 * t.waited_seconds) / longest}%`;
      after.style.width = `${(100 * t.expected_in_seconds) / longest}%`;
    });
    setText($('waiting-more'), total > lanes.length ? `and ${number(total - lanes.length)} more` : '');
  }

  function showHistogram(id, h) {
    $(id).closest('section').hidden = h.counts.every((n) => n === 0);
    const most = Math.max(1, ...h.counts);
    const labels = h.counts.map((_, i) => (i < h.bounds.length ? `≤ ${seconds(h.bounds[i])}` : `> ${seconds(h.bounds.at(-1))}`));
    rows(id, h.counts, (_, i) => labels[i], () => {
      const row = plainRow(['', '', ''], 0);
      row.cells[1].appendChild(cell('i'));
      return row;
    }, (row, n, i) => {
      setText(row.cells[0], labels[i]);
      row.cells[1].firstChild.style.width = `${(100 * n) / most}%`;
      setText(row.cells[2], number(n));
    });
  }

  function showRecent(recent) {
    $('recent').closest('section').hidden = !recent.length;
    rows('recent', [...recent].reverse(), (r) => String(r.id),
      () => plainRow(['', 'model', '', 'number', 'number', 'why', 'number', 'number', 'number', 'number'], 0), (row, r) => {
        setText(row.cells[0], clock.format(r.time * 1000));
        setText(row.cells[1], r.model || r.target);
        setText(row.cells[2], r.client_name || '–');
        setText(row.cells[3], r.status ? String(r.status) : 'left');
        row.cells[3].classList.toggle('bad-status', r.status >= 400 || !r.complete);
        setText(row.cells[4], seconds(r.waited_seconds));
        setText(row.cells[5], r.reason || (r.held_by ? r.held_by.text : '–'));
        setText(row.cells[6], r.reserved ? number(r.reserved) : '–');
        setText(row.cells[7], r.tokens ? number(r.tokens) : '–');
        setText(row.cells[8], seconds(r.upstream_seconds));
        setText(row.cells[9], seconds(r.total_seconds));
      });
  }

  /// Whether the provider fails, why, and when it is asked again. Empty: it does not.
  function trouble({ upstream: { recent, last_failure: last }, circuit_breaker: breaker }) {
    if (breaker.state === 'CLOSED' && !recent.failures) return '';
    const parts = [`The provider failed in ${number(recent.failures)} of ${number(recent.attempts)} attempts in the last ${number(recent.seconds / 60)} minutes`];
    if (last) parts.push(`; last: ${last.cause}, ${seconds(Math.round(last.seconds_ago))} ago`);
    if (breaker.state === 'OPEN') parts.push(`. The circuit breaker is open; next attempt in ${seconds(Math.ceil(breaker.retry_in_seconds))}`);
    if (breaker.state === 'HALF_OPEN') parts.push('. The circuit breaker is testing it');
    return `${parts.join('')}.`;
  }

  function showClients(clients) {
    $('clients').closest('section').hidden = !clients.length;
    const all = Math.max(1, clients.reduce((sum, c) => sum + c.tokens_used, 0));
    rows('clients', clients, (c) => c.name, () => {
      const row = plainRow(['model', 'number', 'number', ''], 0);
      const meter = row.cells[3].appendChild(cell('span', 'meter'));
      meter.appendChild(cell('i')).appendChild(cell('b'));
      meter.appendChild(cell('span'));
      return row;
    }, (row, c) => {
      setText(row.cells[0], c.name);
      setText(row.cells[1], number(c.requests));
      setText(row.cells[2], number(c.tokens_used));
      const share = Math.round((100 * c.tokens_used) / all);
      const [bar, text] = row.cells[3].firstChild.children;
      bar.firstChild.style.width = `${share}%`;
      setText(text, `${share} %`);
    });
  }

  function showFigures(s) {
    setText($('queue-length'), number(s.queue.length));
    setText($('in-flight'), number(s.in_flight));
    setText($('breaker'), breakerText(s.circuit_breaker));
    $('breaker').className = { CLOSED: '', OPEN: 'bad', HALF_OPEN: 'warn' }[s.circuit_breaker.state];
    setText($('refusals'), number(s.upstream.refusals));
    const { recent } = s.upstream;
    setText($('failures'), recent.failures ? `${number(recent.failures)} of ${number(recent.attempts)}` : '0');
    $('failures').className = recent.failures ? 'warn' : '';
    const wrong = trouble(s);
    $('trouble').hidden = !wrong;
    setText($('trouble'), wrong);
    setText($('uptime'), seconds(s.uptime_seconds));
    setText($('version'), s.version);
    document.title = s.queue.length ? `(${s.queue.length}) cooldown-proxy` : 'cooldown-proxy';
  }

  // The timeline.

  const FIELDS = ['time', 'released', 'used', 'refused', 'remaining', 'limit', 'reset_in', 'queued', 'in_flight'];

  function addPoints(update) {
    let newest = 0;
    update.scopes.forEach((s) => {
      const name = keyOf(s);
      if (!series.has(name)) series.set(name, Object.fromEntries(FIELDS.map((f) => [f, []])));
      const columns = series.get(name);
      const from = s.time.findIndex((t) => t > (columns.time.at(-1) ?? 0));
      if (from < 0) return;
      FIELDS.forEach((f) => columns[f].push(...s[f].slice(from)));
      newest = Math.max(newest, s.time.at(-1));
    });
    series.forEach((columns, name) => {
      const first = columns.time.findIndex((t) => t > newest - SPAN);
      if (first > 0) FIELDS.forEach((f) => columns[f].splice(0, first));
      if (newest && first < 0) series.delete(name);
    });
  }

  /// Tokens used in the minute up to each point.
  function trailingMinute(columns) {
    let sum = 0;
    let from = 0;
    return columns.time.map((t, i) => {
      sum += columns.used[i];
      while (columns.time[from] <= t - 60) sum -= columns.used[from++];
      return Math.max(0, sum);
    });
  }

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /// Dotted upright lines where the provider's window reset: the time until its end has grown.
  function drawResets(u) {
    const c = series.get(chosen);
    if (!c) return;
    u.ctx.save();
    u.ctx.strokeStyle = color('--soft');
    u.ctx.setLineDash([2, 4]);
    c.time.forEach((t, i) => {
      if (i === 0 || c.reset_in[i - 1] < 0 || c.reset_in[i] <= c.reset_in[i - 1] + 1) return;
      const x = u.valToPos(t, 'x', true);
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
    });
    u.ctx.restore();
  }

  function makeCharts() {
    charts.forEach((c) => c.destroy());
    const ink = color('--soft');
    const axis = { stroke: ink, grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line') } };
    const time = { ...axis, space: 100, values: (_, ticks) => ticks.map((t) => (t % 60 ? clock : minutes).format(t * 1000)), incrs: [5, 15, 60, 120, 300] };
    const percent = { ...axis, scale: '%', size: 55, values: (_, ticks) => ticks.map((v) => `${v} %`) };
    const whole = { ...axis, scale: 'n', size: 55, incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7, 8].map((p) => n * 10 ** p)).sort((a, b) => a - b), values: (_, ticks) => ticks.map((v) => v.toLocaleString('en')) };
    const line = (label, scale, name, more) => ({ label, scale, stroke: color(name), width: 1.5, points: { show: false }, ...more });
    const shared = (node, height, padding, axes, lines) => new uPlot({
      padding: [12, padding, 0, 0],
      width: Math.max(280, node.clientWidth),
      height,
      cursor: { sync: { key: 'time' } },
      scales: { '%': { range: [0, 100] }, n: { range: (_, low, high) => [0, Math.max(1, (high || 1) * 1.05)] } },
      axes: [time, ...axes],
      hooks: { draw: [drawResets] },
      series: [{ value: (_, t) => (t ? clock.format(t * 1000) : '–') }, ...lines],
    }, [[], ...lines.map(() => [])], node);
    const fill = (name) => ({ fill: `${color(name)}22` });
    charts = [
      shared($('tokens-chart'), 240, 0, [percent, { ...whole, side: 1, size: 70, grid: { show: false } }], [
        line('left of the tightest limit, %', '%', '--green', fill('--green')),
        line('tokens used in the last minute', 'n', '--blue'),
        line('429 from the provider', '%', '--red', { paths: () => null, points: { show: true, size: 8, fill: color('--red') } }),
      ]),
      shared($('queue-chart'), 150, 70, [whole], [
        line('waiting', 'n', '--amber', fill('--amber')),
        line('in flight', 'n', '--blue'),
      ]),
    ];
  }

  function drawCharts(scope) {
    setText($('shown-scope'), scope ? `of ${scope.model}, ${scope.key}` +
      (scope.binding ? `: ${limitText(scope.binding)} left` : '') : '');
    const c = scope && series.get(chosen);
    $('timeline-title').closest('section').hidden = !c;
    if (!c) return;
    const used = trailingMinute(c);
    const left = c.remaining.map((v, i) => (c.limit[i] ? Math.round(Math.max(0, Math.min(100, (100 * v) / c.limit[i]))) : null));
    charts[0].setData([c.time, left, used, c.refused.map((n) => (n > 0 ? 97 : null))]);
    charts[1].setData([c.time, c.queued, c.in_flight]);
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    $('tokens-chart').setAttribute('aria-label',
      `${scope.binding ? `${limitText(scope.binding)} left` : 'no limit is known yet'}; ${number(used.at(-1))} tokens used in the last minute; ` +
      `${number(sum(c.refused))} refusals by the provider in the time shown`);
    $('queue-chart').setAttribute('aria-label', `${number(c.queued.at(-1))} waiting, ${number(c.in_flight.at(-1))} in flight`);
  }

  function show(status) {
    if (!status) return;
    latest = status;
    showFigures(status);
    showScopes(status.scopes);
    showUpstreams(status.upstreams);
    const scope = status.scopes.find((s) => keyOf(s) === chosen);
    $('budgets-title').closest('section').hidden = !scope;
    showBudgets(scope);
    showWaiting(status);
    showHistogram('waits', status.waits);
    showHistogram('latency', status.upstream_response_seconds);
    showClients(status.clients);
    showRecent(status.recent);
    drawCharts(scope);
    document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
  }

  // The stream. EventSource could not send a token.

  function authorization() {
    const token = sessionStorage.getItem('token');
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  function take(event) {
    const data = JSON.parse(event);
    addPoints(data.history);
    show(data.status);
  }

  async function listen() {
    const answer = await fetch('events', { headers: authorization(), cache: 'no-store' });
    $('sign-in').hidden = answer.status !== 401;
    if (!answer.ok) throw new Error(answer.status === 401 ? 'a token is needed' : `status ${answer.status}`);
    setText($('connection'), 'Live');
    $('connection').className = '';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error('the stream ended');
      text += value;
      let end;
      while ((end = text.indexOf('\n\n')) >= 0) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        if (event.startsWith('data: ')) take(event.slice(6));
      }
    }
  }

  async function stayConnected() {
    for (;;) {
      try {
        await listen();
      } catch (e) {
        setText($('connection'), `Not connected (${e.message}): the data below is stale. Trying again…`);
        $('connection').className = 'lost';
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  $('sign-in').addEventListener('submit', (e) => {
    e.preventDefault();
    sessionStorage.setItem('token', $('token').value);
  });
  $('scope-filter').addEventListener('input', () => show(latest));
  $('scope-order').addEventListener('change', () => show(latest));
  $('scope-more').addEventListener('click', () => {
    everyScope = !everyScope;
    show(latest);
  });
  const redraw = () => {
    makeCharts();
    show(latest);
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  addEventListener('resize', () => {
    charts.forEach((c) => c.setSize({ width: Math.max(280, c.root.parentNode.clientWidth), height: c.height }));
  });
  makeCharts();
  stayConnected();
})();
