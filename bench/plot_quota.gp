# Draws the output of build/release/quota --csv: gnuplot -e "csv='FILE'; svg='FILE'" bench/plot_quota.gp
# Rows come in threes: ours, the seed's, direct clients; a group of bars for each workload, the first on top.
set datafile separator comma
set datafile columnheaders

stats csv every 3::0 using 3 nooutput
n = STATS_records
height = 120 + 27 * n
set terminal svg size 1300,height font "sans-serif,12" background "#ffffff"
set output svg

set multiplot
set yrange [n - 0.5 : -0.5]
set style fill solid noborder
set border 3 lc "#888888"
set tics nomirror scale 0.5 textcolor "#222222"
set grid xtics back lt 1 lw 1 lc rgb "#dddddd"
set key at screen 0.29,1 - 8.0 / height right top vertical samplen 1.5
bar = 0.27

# Where the bar of the group's k-th row begins.
top(k) = column(0) - 0.405 + bar * k
set tmargin at screen 1 - 75.0 / height
set bmargin at screen 45.0 / height

set lmargin at screen 0.31
set rmargin at screen 0.61
set title "Share of an omniscient queue's tokens"
set xrange [0:1.1]
set xtics 0.2
plot csv every 3::0 using (0):(column(0)):(0):3:(top(0)):(top(0) + bar):ytic(1) with boxxyerror lc "#1b6ca8" title "cooldown-proxy", \
     csv every 3::1 using (0):(column(0)):(0):3:(top(1)):(top(1) + bar) with boxxyerror lc "#e0a030" title "the seed's limiter", \
     csv every 3::2 using (0):(column(0)):(0):3:(top(2)):(top(2) + bar) with boxxyerror lc "#b0b0b0" title "direct, SDK retries"

set lmargin at screen 0.66
set rmargin at screen 0.985
set title "Upstream 429s per 100 admissions (log)"
set logscale x
set xrange [0.1:3000]
set xtics ("0.1" 0.1, "1" 1, "10" 10, "100" 100, "1000" 1000)
set ytics format ""
unset key
least(x) = x < 0.1 ? 0.1 : x
plot csv every 3::0 using (0.1):(column(0)):(0.1):(least(100 * $4)):(top(0)):(top(0) + bar) with boxxyerror lc "#1b6ca8", \
     csv every 3::1 using (0.1):(column(0)):(0.1):(least(100 * $4)):(top(1)):(top(1) + bar) with boxxyerror lc "#e0a030", \
     csv every 3::2 using (0.1):(column(0)):(0.1):(least(100 * $4)):(top(2)):(top(2) + bar) with boxxyerror lc "#b0b0b0"
unset multiplot
