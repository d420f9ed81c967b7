// The live page. Draws what /events sends each second: {status} as /status has it, and the points of the history that are new.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const SPAN = 15 * 60;
  const MOST_LANES = 200;
  const series = new Map(); // scope key -> columns
  let chosen = null;
  let latest = null;
  let charts = [];

  const keyOf = (s) => `${s.model} ${s.credential}`;
  const number = (n) => Math.round(n).toLocaleString('en');
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
  const limitText = (b) => `${number(Math.floor(b.remaining))} of ${number(b.limit)} ` +
    `${b.resource.replace('_', ' ')}/${b.window === 'minute' ? 'min' : b.window}`;

  async function post(path, body) {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...authorization() },
      body: JSON.stringify(body),
    });
    if (!answer.ok) alert((await answer.json()).error.message);
  }

  function showScopes(scopes) {
    $('no-scopes').hidden = scopes.length > 0;
    if (!scopes.some((s) => keyOf(s) === chosen)) chosen = scopes.length ? keyOf(scopes[0]) : null;
    rows('scopes', scopes, keyOf, (s) => {
      const row = plainRow(['model', '', '', 'number', 'number', '', ''], 0);
      const pick = row.cells[0].appendChild(cell('button', 'plain'));
      pick.textContent = s.model || '(no model)';
      pick.title = 'Show its history';
      pick.addEventListener('click', () => {
        chosen = keyOf(s);
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
      setText(row.cells[1], String(s.credential).padStart(6, '0'));
      const [bar, text] = row.cells[2].firstChild.children;
      bar.firstChild.style.width = s.binding ? `${Math.max(0, Math.min(100, (100 * Math.floor(s.binding.remaining)) / s.binding.limit))}%` : '0';
      setText(text, s.binding ? limitText(s.binding) : 'no limit is known yet');
      setText(row.cells[3], number(s.queued));
      setText(row.cells[4], number(s.in_flight));
      setText(row.cells[5], s.paused ? 'paused by hand' : s.held_by ? s.held_by.text : '–');
      const button = row.cells[6].firstChild;
      setText(button, s.paused ? 'Resume' : 'Pause');
      button.setAttribute('aria-label', `${s.paused ? 'Resume' : 'Pause'} ${s.model} ${s.credential}`);
      button.onclick = () => post(s.paused ? 'scopes/resume' : 'scopes/pause', { model: s.model, credential: s.credential });
    });
  }

  function showBudgets(scope) {
    rows('budgets', scope ? scope.budgets : [], (b) => `${b.resource} ${b.window}`,
      () => plainRow(['', 'number', 'number', 'number', '', ''], 0), (row, b) => {
        setText(row.cells[0], `${b.resource.replace('_', ' ')} a ${b.window}`);
        setText(row.cells[1], number(Math.max(0, Math.floor(b.remaining))));
        setText(row.cells[2], number(b.limit));
        setText(row.cells[3], b.reset_in_seconds > 0 ? seconds(b.reset_in_seconds) : '–');
        setText(row.cells[4], b.refill + (b.refill_confirmed ? '' : ' (assumed)'));
        setText(row.cells[5], b.reported ? "the provider's headers" : 'the configuration');
      });
  }

  function showWaiting(status) {
    const all = status.scopes.flatMap((s) => s.waiting.map((t) => ({ ...t, model: s.model, scope: keyOf(s) })))
      .sort((a, b) => (a.expected_in_seconds === null) - (b.expected_in_seconds === null) || a.expected_in_seconds - b.expected_in_seconds);
    const total = status.queue.length;
    $('nobody-waits').hidden = all.length > 0;
    setText($('waiting-count'), total ? `(${number(total)})` : '');
    const lanes = all.slice(0, MOST_LANES);
    const longest = Math.max(1, ...lanes.map((t) => t.waited_seconds + t.expected_in_seconds));
    rows('waiting', lanes, (t, i) => String(i), () => {
      const row = plainRow(['number', 'model', '', 'number', 'number', 'number', 'number', 'lane'], 0);
      const bar = row.cells[7].appendChild(cell('span', 'lane-bar'));
      bar.append(cell('b'), cell('u'));
      return row;
    }, (row, t) => {
      setText(row.cells[0], String(t.position));
      setText(row.cells[1], t.model);
      setText(row.cells[2], String(t.client).padStart(6, '0'));
      setText(row.cells[3], String(t.urgency));
      setText(row.cells[4], number(t.tokens));
      setText(row.cells[5], seconds(t.waited_seconds));
      setText(row.cells[6], t.expected_in_seconds === null ? 'when resumed' : seconds(t.expected_in_seconds));
      const [before, after] = row.cells[7].firstChild.children;
      before.style.width = `${(100 * t.waited_seconds) / longest}%`;
      after.style.width = `${(100 * t.expected_in_seconds) / longest}%`;
    });
    setText($('waiting-more'), total > lanes.length ? `and ${number(total - lanes.length)} more` : '');
  }

  function showHistogram(id, h) {
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
    rows('recent', [...recent].reverse(), (r) => String(r.id),
      () => plainRow(['', 'model', 'number', 'number', '', 'number', 'number', 'number', 'number'], 0), (row, r) => {
        setText(row.cells[0], new Date(r.time * 1000).toLocaleTimeString());
        setText(row.cells[1], r.model || r.target);
        setText(row.cells[2], r.status ? String(r.status) : 'left');
        row.cells[2].classList.toggle('bad-status', r.status >= 400 || !r.complete);
        setText(row.cells[3], seconds(r.waited_seconds));
        setText(row.cells[4], r.reason || (r.held_by ? r.held_by.text : '–'));
        setText(row.cells[5], r.reserved ? number(r.reserved) : '–');
        setText(row.cells[6], r.tokens ? number(r.tokens) : '–');
        setText(row.cells[7], seconds(r.upstream_seconds));
        setText(row.cells[8], seconds(r.total_seconds));
      });
  }

  function showFigures(s) {
    setText($('queue-length'), number(s.queue.length));
    setText($('in-flight'), number(s.in_flight));
    setText($('breaker'), s.circuit_breaker.state.toLowerCase().replace('_', ' '));
    $('breaker').className = { CLOSED: '', OPEN: 'bad', HALF_OPEN: 'warn' }[s.circuit_breaker.state];
    setText($('refusals'), number(s.upstream.refusals));
    setText($('failures'), number(s.upstream.failures));
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
    const whole = { ...axis, size: 70, values: (_, ticks) => ticks.map((v) => v.toLocaleString('en')) };
    const shared = (node, height, lines) => new uPlot({
      width: Math.max(280, node.clientWidth),
      height,
      cursor: { sync: { key: 'time' } },
      scales: { y: { range: (_, low, high) => [0, Math.max(1, (high || 1) * 1.05)] } },
      axes: [axis, whole],
      hooks: { draw: [drawResets] },
      series: [{}, ...lines],
    }, [[], ...lines.map(() => [])], node);
    charts = [
      shared($('tokens-chart'), 240, [
        { label: 'limit of tokens a minute', stroke: ink, dash: [6, 4], width: 1.5, points: { show: false } },
        { label: 'left', stroke: color('--green'), fill: `${color('--green')}22`, width: 1.5, points: { show: false } },
        { label: 'used within a minute', stroke: color('--blue'), width: 1.5, points: { show: false } },
        { label: '429 of the provider', stroke: color('--red'), paths: () => null, points: { show: true, size: 8, fill: color('--red') } },
      ]),
      shared($('queue-chart'), 150, [
        { label: 'waiting', stroke: color('--amber'), fill: `${color('--amber')}22`, width: 1.5, points: { show: false } },
        { label: 'in flight', stroke: color('--blue'), width: 1.5, points: { show: false } },
      ]),
    ];
  }

  function drawCharts(scope) {
    setText($('shown-scope'), scope ? `of ${scope.model}, key ${String(scope.credential).padStart(6, '0')}` : '');
    const c = scope && series.get(chosen);
    if (!c) return;
    const used = trailingMinute(c);
    charts[0].setData([c.time, c.limit.map((v) => v || null), c.remaining.map((v, i) => (c.limit[i] ? Math.max(0, v) : null)),
      used, c.refused.map((n, i) => (n > 0 ? c.limit[i] : null))]);
    charts[1].setData([c.time, c.queued, c.in_flight]);
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    $('tokens-chart').setAttribute('aria-label',
      `${number(used.at(-1))} tokens used within the last minute, limit ${number(c.limit.at(-1))}; ` +
      `${number(sum(c.refused))} refusals of the provider in the time shown`);
    $('queue-chart').setAttribute('aria-label', `${number(c.queued.at(-1))} waiting, ${number(c.in_flight.at(-1))} in flight`);
  }

  function show(status) {
    if (!status) return;
    latest = status;
    status.scopes.sort((a, b) => b.queued - a.queued || keyOf(a).localeCompare(keyOf(b)));
    showFigures(status);
    showScopes(status.scopes);
    const scope = status.scopes.find((s) => keyOf(s) === chosen);
    showBudgets(scope);
    showWaiting(status);
    showHistogram('waits', status.waits);
    showHistogram('latency', status.upstream_response_seconds);
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
