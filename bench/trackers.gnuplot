# SPDX-License-Identifier: MIT
# trackers.dat (name, KVM, then one column for each tracker) to trackers.svg. Called by bench/run.
set terminal svg size 800,360 font "sans,12" background "#ffffff"
set output "trackers.svg"
set title "Instructions for each 4K page"
set style data histogram
set style histogram clustered gap 1.5
set style fill solid 0.85 border -1
set logscale y 10
set yrange [0.1:10000]
set grid ytics
set key outside top center horizontal
set xtics nomirror rotate by -20 font ",11"
plot "trackers.dat" using 2:xtic(1) title "KVM, write protection" lc rgb "#b0b7bf", \
     "" using 3 title "Cleave, ".word(trackers, 1) lc rgb "#2f6fca", \
     "" using 4 title "Cleave, ".word(trackers, 2) lc rgb "#2a8a43"
