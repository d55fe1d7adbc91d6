# Printed by `crossrole init nushell`. Once, and after each update of crossrole:
#   crossrole init nushell | save --force ($nu.default-config-dir | path join crossrole.nu)
# and in config.nu:  source crossrole.nu
def "nu-complete crossrole assume" [context: string] {
    let words = ($context | split row --regex '\s+' | skip 1)
    ^@crossrole@ __complete assume ...$words
    | complete | get stdout | lines
    | where {|line| $line !~ '^:[0-9]+$'}
    | each {|line|
        let parts = ($line | split row --number 2 "\t")
        {value: $parts.0, description: ($parts.1? | default "")}
    }
}
# A record without what is null.
def __crossrole_known [] {
    $in | transpose name value | where {|pair| $pair.value != null}
    | reduce --fold {} {|pair, all| $all | insert $pair.name $pair.value}
}
def --env __crossrole_restore [] {
@restore@
}
# Use the credentials of an AWS profile in this shell.
#
# Without a name there is a picker; - is the profile before; --unset brings back
# what was there before.
def --env --wrapped assume [...words: string@"nu-complete crossrole assume"] {
    # What these print is not for this shell to use.
    let options = ($words | take until {|word| $word == '--'})
    if ($options | any {|word| $word =~ '^(-h$|--help$|--dry-run|--format|--show|--write-profile)'}) {
        return (^@crossrole@ assume ...$words)
    }
    let from = ($env.CROSSROLE_PROFILE? | default "")
    let arguments = if ($words | is-empty) {
        ['--', (^@crossrole@ pick | str trim --right --char "\n")]
    } else if $words.0 == '-' {
        if ($env.CROSSROLE_PREVIOUS? | is-empty) {
            error make --unspanned {msg: "assume: there is no previous profile"}
        }
        [...($words | skip 1), '--', $env.CROSSROLE_PREVIOUS.name]
    } else { $words }
    if ($arguments.0 == '--unset') {
        __crossrole_restore
    } else {
        # In the environment of before: a session decides nothing about the next one.
        let text = (do { __crossrole_restore; ^@crossrole@ assume --format=json --dry-run=false --write-profile= ...$arguments })
        let session = ($text | from json | get environment)
        __crossrole_restore
        # No child sees a record.
        $env.CROSSROLE_WAS = ($env | select --optional ...@names@ | __crossrole_known)
        hide-env --ignore-errors ...@names@
        load-env ($session | __crossrole_known)
    }
    if $from != "" and $from != ($env.CROSSROLE_PROFILE? | default "") {
        $env.CROSSROLE_PREVIOUS = {name: $from}
    }
}
