# SPDX-License-Identifier: MIT
# ratios.dat (name, ratio to KVM, aim's ratio) to ratios.png. Called by bench/run.
stats "ratios.dat" using 2 nooutput
set terminal pngcairo size 1000, 120 + 22 * STATS_records font "sans,10"
set output "ratios.png"
set title "Instructions that Cleave needs where KVM needs 1"
set logscale x 10
set xrange [0.001:*]
set yrange [-0.8:STATS_records - 0.2]
set grid xtics
set key outside bottom center horizontal
set style fill solid 0.8
set lmargin at screen 0.27
set boxwidth 0.7
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#c02020" lw 1.5
plot "ratios.dat" using (sqrt($2 * 0.001)):0:(0.001):2:($0 - 0.35):($0 + 0.35):ytic(1) \
	with boxxyerror lc rgb "#4477aa" title "Cleave", \
     "ratios.dat" using 3:0 with points pt 9 ps 1.2 lc rgb "#202020" title "aim", \
     NaN with lines lc rgb "#c02020" title "KVM"
