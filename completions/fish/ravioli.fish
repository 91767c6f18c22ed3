# Made by build/manual/write.sh from the table of options of ravioli.
complete -c ravioli -f
complete -c ravioli -n 'not __fish_seen_subcommand_from doctor flows forward pasta passt run status' -a 'doctor flows forward pasta passt run status'
complete -c ravioli -n '__fish_seen_subcommand_from forward; and not __fish_seen_subcommand_from list add del' -a 'list add del'
complete -c ravioli -s t -l tcp-ports -x -a 'none auto all' -d 'TCP ports forwarded to the guest, as those of pasta'
complete -c ravioli -s u -l udp-ports -x -a 'none auto all' -d 'UDP ports forwarded to the guest'
complete -c ravioli -s T -l tcp-ns -x -a 'none auto all' -d 'TCP ports of the host seen in the namespace'
complete -c ravioli -s U -l udp-ns -x -a 'none auto all' -d 'UDP ports of the host seen in the namespace'
complete -c ravioli -l path -r -F -d 'Control socket of the run: what it was given by --conf-path'
complete -c ravioli -l pid -x -a '(__fish_complete_pids)' -d 'The run with this process ID'
complete -c ravioli -l json -d 'Print the rules, as JSON'
complete -c ravioli -s h -l help -d 'Print this text'
