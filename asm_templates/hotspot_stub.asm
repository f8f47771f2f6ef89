;! title    = "interface call as HotSpot makes it where many types come by: the itable stub"
;! heap     = "func"
;! types    = "main.T{t}"
;! methods  = ["klass"]
;! params   = { go = ["1.27"], targets = 1, implements = { default = 1, min = 1, max = 16 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; OpenJDK 17, vtableStubs_x86_64.cpp, create_itable_stub, and lookup_interface_method in macroAssembler_x86.cpp"

; No itab is made for a pair of class and interface. A class lists the interfaces that it implements behind its table of
; virtual methods, each with the distance of its methods, and the stub looks for the interface there: once to see
; that the class implements it, and once for the method, from the list's beginning each time. `implements` is how many
; there are; ours is the last one. Class pointers are not compressed here, and the word in front of them is left out.

{% set offset = 24 + 16 * (implements + 1) %}
{% macro search(number, interface, found) %}
        mov  r11d, [r10]                ; how long the table of virtual methods is
        lea  r11, [r10 + r11*8 + 8]     ; behind it stand the interfaces
{% if found %}
        lea  r10, [r10]                 ; the method's place among the interface's
{% endif %}
        mov  rbx, [r11]
        cmp  {{ interface }}, rbx
        je   found{{ number }}
next{{ number }}:
        test rbx, rbx
        je   "no_such_interface"
        add  r11, 16
        mov  rbx, [r11]
        cmp  {{ interface }}, rbx
        jne  next{{ number }}
found{{ number }}:
{% if found %}
        mov  r11d, [r11 + 8]            ; the distance of its methods
        mov  rbx, [r10 + r11]           ; the method
{% endif %}
{% endmacro %}
body:                                   ; rax = the object
        mov  rsi, rax
        lea  rax, ["main.holder"]       ; what the call was linked with
        call "itable_stub"

func "itable_stub":
        mov  r10, [rsi]                 ; the class
        mov  rdx, [rax]                 ; the interface that the call names
        mov  rax, [rax + 8]             ; and the one that declares the method
{{ search(1, "rdx", false) }}
        mov  r10, [rsi]
{{ search(2, "rax", true) }}
site:   jmp  [rbx]                      ; its compiled code

func "no_such_interface":
        ud2

{% for type in types %}
func "T{{ type.index }}::id":
        mov  eax, [rsi + 8]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.holder":
        dq   "main.Interface", "main.Interface"
data "main.Interface":
        dq   0
data "main.Other":
        dq   0
{% for type in types %}
data "main.method{{ type.index }}":
        dq   "T{{ type.index }}::id"
data "main.(*T{{ type.index }}).klass":
        dq   2, 0, 0                    ; two virtual methods
{% for _ in range(implements - 1) %}
        dq   "main.Other", {{ offset }}
{% endfor %}
        dq   "main.Interface", {{ offset }}
        dq   0, 0
        dq   "main.method{{ type.index }}"
{% endfor %}
