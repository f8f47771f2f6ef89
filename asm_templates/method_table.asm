;! title    = "interface call of the last of 1 to 64 methods"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["M"]
;! params   = { go = ["1.27", "1.19", "1.10"], targets = 1, width = { default = 1, min = 1, max = 64 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead, and what it left out"

; An itab is as long as its interface has methods, 24 + 8 bytes for each, and the call of any of them is the same load
; at another offset. From the 14th on the offset takes four bytes of code in place of one, and the method stands in
; another line of the cache than the itab's type and hash. With many types the itabs are many lines. The itabs are the
; template's own: one method, the others lead to a function that nobody calls.

body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        mov  rcx, [rax + {{ 16 + 8 * width }}]            ; the last of itab.fun
        mov  rax, rbx
site:   call rcx
{% else %}
        mov  rdx, [rax + {{ 16 + 8 * width }}]
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]
{% endif %}

func "main.nobody":
        ud2
{% for type in types %}
func "main.(*T{{ type.index }}).M":
{% if abi == "register" %}
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
data "go.itab.{{ type.name }},main.I":
        dq   "type.main.I", "type.{{ type.name }}"
        dd   hash("{{ type.name }}"), 0
        times {{ width }} - 1 dq "main.nobody"
        dq   "main.(*T{{ type.index }}).M"
{% endfor %}
