# Completion of `daybook` in bash.

_daybook() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      import | append | read | tail | streams | state | diff | blame | bisect | sql | stats | \
        verify | repair | backup | restore | snapshot | projection | publish)
        command=$word
        break
        ;;
    esac
  done
  local filters="--category --type --tag --id --recorded-from --effective-from --limit --from"
  local moment="--as-of-position --as-of-recorded"
  local flags="--help --json"
  case $command in
    "")
      flags="import append read tail streams state diff blame bisect sql stats verify repair backup"
      flags+=" restore snapshot projection publish --help --version --json"
      ;;
    import)
      flags+=" --source --batch --durability --on-error --format --no-create --stream-field"
      flags+=" --type-field --time-field --data-field --data-base64-field --content-type-field"
      flags+=" --id-field --tags-field --metadata-field"
      ;;
    append)
      flags+=" --type --data --content-type --metadata --tag --id --effective-at --expect"
      flags+=" --no-create"
      ;;
    read)
      flags+=" $filters --no-mmap --to --position --backwards $moment --as-of-version"
      flags+=" --as-of-effective"
      ;;
    tail) flags+=" $filters --no-mmap --until" ;;
    streams) flags+=" --no-mmap --category --prefix $moment" ;;
    state)
      flags+=" --no-mmap --fold --snapshots --snapshot-every $moment --as-of-version"
      flags+=" --as-of-effective"
      ;;
    diff) flags+=" --no-mmap --fold --from-position --to-position --as-of-effective" ;;
    blame) flags+=" --no-mmap --fold --field $moment --as-of-version --as-of-effective" ;;
    bisect)
      flags+=" --no-mmap --fold --where --monotone $moment --as-of-version --as-of-effective"
      ;;
    sql) flags+=" --no-mmap --fold --format --timeout --max-rows $moment --as-of-effective" ;;
    snapshot) flags+=" --no-mmap" ;;
    projection)
      flags+=" --no-mmap --kind --by --field --system-streams --on-poison --follow --prometheus --threads --key"
      flags+=" --position --reason --actor"
      flags+=" run status show rebuild compare promote rollback parked retry skip"
      ;;
    publish)
      flags+=" --no-mmap --name --to --subject --topic --key --header --unordered --format --option"
      flags+=" --tls-ca --tls-cert --tls-key --credentials --timeout --follow --from --until"
      flags+=" --stream --category --type --tag --system-streams --on-poison --patience"
      flags+=" --prometheus --position --reason --actor"
      ;;
    stats) flags+=" --no-mmap" ;;
    backup) flags+=" --fast --no-mmap" ;;
    verify) flags+=" --no-mmap --fast --snapshots --projections" ;;
    repair) flags+=" --from-backup --accept-loss --dry-run" ;;
  esac
  local actions=""
  [[ $previous == snapshot ]] && actions="list drop"
  [[ $previous == publish ]] && actions="status parked retry skip"
  [[ $current == -* ]] && actions=""
  case $previous in
    --durability) mapfile -t COMPREPLY < <(compgen -W "sync buffered" -- "$current") ;;
    --on-error) mapfile -t COMPREPLY < <(compgen -W "stop skip" -- "$current") ;;
    --format)
      local formats="csv ndjson"
      [[ $command == sql ]] && formats="table json csv"
      [[ $command == publish ]] && formats="events cloudevents"
      mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$current")
      ;;
    --fold) mapfile -t COMPREPLY < <(compgen -W "merge sum: count last" -- "$current") ;;
    --kind) mapfile -t COMPREPLY < <(compgen -W "count sum last" -- "$current") ;;
    --by) mapfile -t COMPREPLY < <(compgen -W "stream category type" -- "$current") ;;
    --on-poison) mapfile -t COMPREPLY < <(compgen -W "stop park" -- "$current") ;;
    --expect) mapfile -t COMPREPLY < <(compgen -W "any none exists" -- "$current") ;;
    *)
      if [[ -n $actions ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$actions" -d -- "$current")
      elif [[ $current == -* || -z $command ]] ||
        [[ $command == projection && $previous != projection ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      ;;
  esac
}

complete -o filenames -F _daybook daybook
