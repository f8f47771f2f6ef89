;! title    = "an interface with methods becomes one without"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.19", "1.10"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, The empty interface"

; The type is one load away, in the itab; a nil interface has none. Of the result, the type is told by
; its descriptor's place among all: two instructions more than the conversion has, and the load of the id.

{% import "go/barrier.asm" as barriers %}
body:                                   ; rax = itab, rbx = data
        test rax, rax
        je   nil
        mov  rcx, [rax + 8]             ; itab._type
{% if abi == "register" %}
        jmp  store
nil:    xor  ecx, ecx
store:
{% else %}
store:
{% endif %}
        mov  ["main.Sink"], rcx
{{ barriers.store("rbx", "rsi", '["main.Sink" + 8]', "barrier", "esi") }}
        mov  ["main.Sink" + 8], rbx
stored:
        mov  eax, [rbx]
        add  eax, [rcx + 40]            ; the word of the name, which here holds the type's number

{% if abi == "stack" %}
func "main.nil":
nil:    xor  ecx, ecx
        jmp  store
{% endif %}
{{ barriers.slow("rbx", '["main.Sink" + 8]', "barrier") }}

{% for type in types %}
data "{{ "type." ~ type.name }}": dq 4, 0
        dd hash("{{ type.name }}"), 0
        dq 0, 0
        dd {{ type.index + 1 }}, 0
func "main.(*T{{ type.index }}).Id":    ; nobody calls it
        ud2
{% endfor %}
data "main.Sink": dq 0, 0
