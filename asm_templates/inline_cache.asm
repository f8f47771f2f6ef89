;! title    = "interface call through an inline cache of one or more types"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27"], targets = 1, entries = { default = 1, min = 1, max = 64 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: inline caches"

; What engines of dynamic languages put at a call: cells beside the code, each with a type that was met
; here and the method that it led to. With one cell the cache is monomorphic, with a few polymorphic. Here the
; itab stands for the type. A call that finds its itab loads no word of it; one that does not goes the
; common way, and the cells stay as they are.

body:                                   ; rax = itab, rbx = data
{% for entry in range([entries, targets] | min) %}
try{{ entry }}:
        cmp  rax, ["main.cells" + {{ 16 * entry }}]
{% if loop.first %}site:{% endif %}
        jne  {{ "slow" if loop.last else "try" ~ (entry + 1) }}
        mov  rax, rbx
        call ["main.cells" + {{ 16 * entry + 8 }}]
        jmp  done
{% endfor %}
slow:   mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        call rcx
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.cells":
{% for entry in range([entries, targets] | min) %}
        dq   "go.itab.main.T{{ entry }},main.I", "main.(*T{{ entry }}).Id"
{% endfor %}

;! note no Go compiler makes an inline cache{% if targets > entries %}; {{ targets - entries }} of {{ targets }} types are not in it{% endif %}
