;! title    = "a call site of an interface, by one of the ways to choose"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = {}
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; `way` says how the site chooses: `call` through the itab; `guards` on the itabs of the types that `first` names, in
; that order, and the call behind them; `switch` over all types, by halves of their sorted hashes; `table`, a jump by a few
; bits of the hash. What a switch finds by the hash it compares by the itab, as Go does where the interface has methods.
; Each method takes two instructions. Where the type is known it stands inlined there (`callee`), or is called by name.

{# What is done once the type is known. #}
{% macro act(case) %}
{% if callee == "inlined" %}
        mov  eax, [rbx]
        add  eax, {{ case.index + 1 }}
{% else %}
        mov  rax, rbx
        call "main.(*T{{ case.index }}).Id"
{% endif %}
        jmp  done
{% endmacro %}

{# The same behind a compare of the itab, for two types may share a hash. #}
{% macro checked(case) %}
        lea  rcx, ["go.itab.{{ case.name }},main.I"]
        cmp  rax, rcx
        jne  slow
{{ act(case) }}
{% endmacro %}

{# By halves, down to chains of two and three. #}
{% macro search(cases, is_first) %}
{% if cases | length < 4 %}
{% for case in cases %}
try{{ case.index }}:
        cmp  ecx, {{ case.hash }}       ; hash of {{ case.name }}
{% if is_first and loop.first %}site:{% endif %}
        jne  {{ "slow" if loop.last else "try" ~ cases[loop.index].index }}
{{ checked(case) }}
{% endfor %}
{% else %}
{% set half = (cases | length) // 2 %}
        cmp  ecx, {{ cases[half - 1].hash }}       ; the last hash of the lower half
{% if is_first %}site:{% endif %}
        ja   above{{ cases[half].index }}
{{ search(cases[:half], false) }}
above{{ cases[half].index }}:
{{ search(cases[half:], false) }}
{% endif %}
{% endmacro %}

{% set table = jump_table(types | map(attribute="hash") | list, 16) if way == "table" else none %}
body:                                   ; rax = itab, rbx = data
{% if way == "call" %}
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx
{% elif way == "guards" %}
{% for number in first | split("-") %}
{% set case = types[number | int] %}
guard{{ loop.index }}:
        lea  rcx, ["go.itab.{{ case.name }},main.I"]
        cmp  rax, rcx
{% if loop.first %}site:{% endif %}
        jne  {{ "slow" if loop.last else "guard" ~ (loop.index + 1) }}
{{ act(case) }}
{% endfor %}
{% else %}
        test rax, rax                   ; a nil interface has no hash to look at
        je   slow
        mov  ecx, [rax + 16]            ; itab.hash
{% if way == "switch" %}
{{ search(types | sort(attribute="hash"), true) }}
{% else %}
{% if table.shift %}
        shr  ecx, {{ table.shift }}
{% endif %}
        and  ecx, {{ table.mask }}
        lea  rdx, ["main.jump"]
site:   jmp  [rdx + rcx*8]
{% for slot in table.slots if slot is not none %}
case{{ slot }}:
{{ checked(types[slot]) }}
{% endfor %}
{% endif %}
{% endif %}
{% if way != "call" %}
slow:   mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        call rcx
done:
{% endif %}

{% if table %}
data "main.jump":                       ; slots without a case lead to the call
{% for slot in table.slots %}
        dq   {{ "slow" if slot is none else "case" ~ slot }}
{% endfor %}
{% endif %}

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
